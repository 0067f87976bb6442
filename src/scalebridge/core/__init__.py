"""Core: what every floor shares and nobody should write twice.

Takes: nothing.   Gives: errors that help, statuses, progress, provenance, quantities with units, citations.
May import: numpy only.   Open first: errors.py.
"""
