"""Constitutive laws: what does one point of a phase answer to a gradient or a strain?

Takes: properties (plain SI floats, each with an optional uncertainty), an orientation.   Gives: laws.
May import: grid, numerics, core.   Open first: law.py, then linear.py.
"""
