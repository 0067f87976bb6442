"""What the numbers of a result are called and measured in."""

from __future__ import annotations

import dataclasses
from typing import Any

from scalebridge.cell.boundary import AbstractBoundary, OppositeFaces, Sides
from scalebridge.homogenize.phases import Phases
from scalebridge.material.conduction import Conduction


@dataclasses.dataclass(frozen=True)
class Names:
    """physics, quantity and unit of the value; names of the local fields; `extra` goes into the result as it is."""

    physics: str
    quantity: str
    unit: str
    primary: str
    drive: str
    flux: str
    extra: dict[str, Any]


def names_of(phases: Phases, boundary: AbstractBoundary) -> Names:
    """Words for a result. Units are empty where properties were given as plain numbers."""
    law = phases.laws[0]
    if isinstance(law, Conduction):
        t = law.transport
        quantity = f"effective {t.coefficient}"
        return Names(
            "conduction",
            quantity,
            t.unit,
            t.potential,
            "gradient",
            t.flux,
            {"symbol": t.symbol, "transport": t.name},
        )
    given = any(p.dimension is not None for each in phases.laws for p in each.parameters.values())
    quantity = "effective stiffness"
    if isinstance(boundary, OppositeFaces):
        quantity = "apparent Young's modulus" if boundary.sides is Sides.FREE else "oedometric modulus"
    physics = "elasticity" if phases.expansions is None else "thermoelasticity"
    return Names(physics, quantity, "Pa" if given else "", "displacement", "strain", "stress", {})
