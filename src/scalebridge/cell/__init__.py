"""Cell problems: what does a small piece of material do under a mean load?

Takes: a PhaseImage with coefficients, a boundary condition, a load.   Gives: fields, energies, effective tensors.
May import: microstructure, material, grid, numerics, core.   Open first: problem.py.
"""
