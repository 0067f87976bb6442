"""Numerics: the mathematics that knows nothing of materials.

Takes: arrays.   Gives: Mandel/Voigt maps, conjugate gradients, fast diagonalization, multigrid, order fits.
May import: core.   Open first: mandel.py, conjugate_gradients.py.
"""
