"""Microstructures: which phase is where, and what does the arrangement look like?

Takes: files, arrays, generator parameters.   Gives: PhaseImage, GreyImage, connectivity, statistics.
May import: grid, numerics, core.   Open first: read.py.
"""
