"""The page docs/verification-nonlinear.md: cases of the verification whose cells have a history or stretch far."""

from __future__ import annotations

from collections.abc import Sequence

from docs.verification.record import DOCS

PREFIX = "nonlinear"
NAME = "verification-nonlinear.md"

INTRODUCTION = """# Do nonlinear cells answer right?

Cells that yield, flow, relax, buckle or slip, beside exact solutions, bounds and other ways to the same number. What is
not exact says what the difference comes from. Sizes are what one slow core does in minutes; finer voxels would narrow
what is put down to the voxels.

Written from `docs/verification/records/nonlinear_*.json` by

```console
$ make verify CASES="{cases}"
```

Nothing in it is typed by hand. *Difference* is (ours - reference)/|reference|, absolute where the reference is zero;
*asked* is the difference that a value is judged by, and rows without one are shown and not judged. >= and <= mark
bounds.

"""


def write_page(cases: Sequence[str], sections: Sequence[str]) -> None:
    """The sections of the cases under what they have in common."""
    text = INTRODUCTION.format(cases=" ".join(cases)) + "\n".join(sections)
    (DOCS / NAME).write_text(text.rstrip() + "\n", encoding="utf-8")
