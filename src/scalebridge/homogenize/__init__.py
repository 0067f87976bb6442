"""From cells to laws: what effective law does this microstructure have, and how wrong may it be?

Takes: a PhaseImage and one law per label.   Gives: HomogenizationResult (law, error budget, verdicts, bounds).
May import: cell, microstructure, material, grid, numerics, core.   Open first: homogenize.py.
"""
