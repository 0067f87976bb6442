"""Nonlinear cells: what does a microstructure answer whose phases yield, flow, stretch far or break?

Takes: labels on a grid, a law per label, a boundary condition, macroscopic drives and mean fluxes.
Gives: equilibrium (local fields, mean flux, energies, new state) and its consistent tangent.
Open first: problem.py, then newton.py.
"""

from scalebridge.cell.nonlinear.elements import Integration
from scalebridge.cell.nonlinear.many import solve_many
from scalebridge.cell.nonlinear.newton import Batch, Start, prepare, solve_equilibrium, virgin_start
from scalebridge.cell.nonlinear.problem import Equilibrium, NewtonKrylov, NonlinearCell

__all__ = [
    "Batch",
    "Equilibrium",
    "Integration",
    "NewtonKrylov",
    "NonlinearCell",
    "Start",
    "prepare",
    "solve_equilibrium",
    "solve_many",
    "virgin_start",
]
