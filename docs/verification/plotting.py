"""What all figures share: colours, axes without a box, files that only change when the picture does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docs.verification.record import FIGURES, Table

# Colours that stay apart for colour-blind readers (Okabe and Ito's order).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP"


def plot(
    rows: int, columns: int, size: tuple[float, float], width_ratios: Sequence[float] | None = None
) -> Any:
    """Figure and axes (rows, columns)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        rows, columns, figsize=size, layout="constrained", squeeze=False, width_ratios=width_ratios
    )
    for axis in axes.reshape(-1):
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Any, table: Table) -> None:
    """Under the name that the table gives."""
    import matplotlib.pyplot as plt

    # Without the software's name and version the file only changes when the picture does.
    figure.savefig(FIGURES / table.figure, dpi=110, metadata={"Software": None})
    plt.close(figure)
