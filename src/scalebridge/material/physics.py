"""Which physics there are, and the many names of one equation: flux = - coefficient grad(potential).

Heat, charge, dissolved matter, electric and magnetic flux obey the same law; only the words and units differ.
"""

from __future__ import annotations

import dataclasses
import enum

from scalebridge.core.units import Dimension


class Physics(enum.StrEnum):
    """The linear physics of a cell."""

    CONDUCTION = "conduction"
    ELASTICITY = "elasticity"
    THERMOELASTICITY = "thermoelasticity"


@dataclasses.dataclass(frozen=True)
class Transport:
    """One reading of the conduction equation: what the coefficient, the potential and the flux are called."""

    name: str
    coefficient: str
    symbol: str
    potential: str
    flux: str
    dimension: Dimension

    @property
    def unit(self) -> str:
        """SI unit of the coefficient."""
        return self.dimension.unit


CONDUCTION = Transport("conduction", "conductivity", "k", "potential", "flux", Dimension.DIMENSIONLESS)
THERMAL = Transport(
    "thermal conduction", "thermal conductivity", "k", "temperature", "heat flux", Dimension.CONDUCTIVITY
)
ELECTRICAL = Transport(
    "electrical conduction",
    "electrical conductivity",
    "sigma",
    "electric potential",
    "current density",
    Dimension.ELECTRICAL_CONDUCTIVITY,
)
DIFFUSION = Transport("diffusion", "diffusivity", "D", "concentration", "molar flux", Dimension.DIFFUSIVITY)
DIELECTRIC = Transport(
    "dielectrics",
    "permittivity",
    "epsilon",
    "electric potential",
    "electric displacement",
    Dimension.PERMITTIVITY,
)
MAGNETIC = Transport(
    "magnetism",
    "magnetic permeability",
    "mu",
    "magnetic scalar potential",
    "magnetic flux density",
    Dimension.PERMEABILITY,
)
TRANSPORTS: tuple[Transport, ...] = (CONDUCTION, THERMAL, ELECTRICAL, DIFFUSION, DIELECTRIC, MAGNETIC)


def transport_of_dimension(dimension: Dimension | None) -> Transport:
    """The transport whose coefficient has this dimension; plain conduction for a number without a unit."""
    return next((t for t in TRANSPORTS if t.dimension is dimension), CONDUCTION)
