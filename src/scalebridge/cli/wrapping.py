"""Long lines broken to the width of the terminal, or to 80 columns where there is none."""

from __future__ import annotations

import re
import shutil
import textwrap

_NARROWEST, _WIDEST = 40, 120
# "Phase 1    isotropic, ...": what is said of a heading hangs under its own first word.
_HEADING = re.compile(r"\s+|\S(?:.{0,10}\S)?\s{2,}")
# A number and its unit, or the sides of a box, stay together.
_GLUED = re.compile(
    r"(?<=\d) (?=(?:x|[a-zµ]{1,3}[mB]?|[kMG]B)\b)|(?<=\d) (?=%)|(?<=\bx) (?=\d)|(?<=[xyz],) (?=[xyz][\],])"
)


def wrapped(text: str, width: int | None = None) -> str:
    """`text` in lines of at most `width` characters (the terminal's if left out); indents are kept."""
    if width is None:
        width = min(max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST), _WIDEST)
    return "\n".join(_line(line, width) for line in text.splitlines())


def _line(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    found = _HEADING.match(line)
    head = found.group() if found is not None else ""
    hang = len(head) + (2 if not head.strip() else 0)
    glued = _GLUED.sub("\u00a0", line[len(head) :])
    lines = textwrap.wrap(
        glued,
        width,
        initial_indent=head,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\u00a0", " ")
