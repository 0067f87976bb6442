"""The command line: parse, call, print. No numerics.

Takes: arguments.   Gives: text, JSON, exit codes.
May import: everything below.   Open first: application.py.
"""
