"""One stiff sphere in a cube, reduced integration: a cross-check with two independent codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from docs.verification.record import Row, Table
from docs.verification.solve import solve_tensor

from scalebridge import Elasticity, generate
from scalebridge.cell.modes import Element

REFERENCES = {64: (1.493596, 0.623713), 128: (1.491743, 0.623443)}


def tables(data: Path | None) -> list[Table]:
    matrices = np.stack([Elasticity.isotropic(E=e, nu=0.3).tensor for e in (1.0, 10.0)])
    rows = []
    for n, (xx, yy) in REFERENCES.items():
        index = generate.sphere_array(n, radius=0.25).index
        found = solve_tensor(index, matrices, element=Element.REDUCED, residual=1e-6, loads=[0]).value[0]
        # The references have seven digits: half a unit of the last one is 3.4e-7 and 8e-7.
        rows.append(Row(f"stress xx, {n}^3", float(found[0]), xx, 2e-6))
        rows.append(Row(f"stress yy, {n}^3", float(found[1]), yy, 2e-6))
    return [
        Table(
            "Elastic sphere",
            "Radius 0.25 in the unit cube, E = 1 / 10, nu = 0.3, unit strain xx, rotated-grid (reduced "
            "integration) elements, periodic.",
            tuple(rows),
        )
    ]
