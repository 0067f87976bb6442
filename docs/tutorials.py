"""Renders the example scripts as pages: their text, their code, what it prints, their picture.

    python docs/tutorials.py            all of them, into docs/tutorials/
    python docs/tutorials.py rock       those whose name contains "rock"

In a script, the docstring and every comment that starts in the first column are text (Markdown); the rest is code. The
plotting under `if __name__ == "__main__":` runs too but is not shown; it leaves a picture of the script's name.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
TARGET = HERE / "tutorials"
TUTORIALS = {
    "rock_conductivity": "Tutorial: the conductivity of a rock",
    "composite_stiffness": "Tutorial: the stiffness of a composite",
}
PLOTTING = 'if __name__ == "__main__":'


def blocks(source: str) -> list[tuple[str, str]]:
    """("text" | "code" | "plot", content) in order; the docstring is the first text."""
    docstring = ast.get_docstring(ast.parse(source), clean=True)
    body = source.split('"""', 2)[2]
    body, mark, plotting = body.partition(PLOTTING)
    found: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        kind = "text" if line.startswith("#") else "code"
        content = line.removeprefix("#").removeprefix(" ") if kind == "text" else line
        if found and (found[-1][0] == kind or not line.strip()):
            found[-1][1].append(content)
        elif line.strip():
            found.append((kind, [content]))
    made = [("text", docstring or "")]
    made += [(kind, "\n".join(lines).strip("\n")) for kind, lines in found]
    return [*made, ("plot", mark + plotting)] if mark else made


def prose(text: str) -> str:
    """Indented lines of a text are formulae and stay as they are; a heading gets its empty line."""
    lines = []
    for line in text.splitlines():
        lines.append(line)
        if line.startswith("#"):
            lines.append("")
    return "\n".join(lines)


def render(name: str, folder: Path) -> str:
    """Runs the example in `folder`, where its picture goes, and returns its page."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    page = [f"# {TUTORIALS[name]}", ""]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    folder.mkdir(parents=True, exist_ok=True)
    for kind, content in blocks(source):
        if kind == "text":
            page += [prose(content), ""]
            continue
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.chdir(folder):
            exec(compile(content, f"{name}.py", "exec"), namespace)
        if kind == "code":
            page += ["```python", content, "```", ""]
            if told.getvalue().strip():
                page += ["```text", told.getvalue().rstrip(), "```", ""]
    if (folder / f"{name}.png").exists():
        page += [f"![The picture this script draws]({name}.png)", ""]
    page += [f"The script is `examples/{name}.py`; this page was made from it by `docs/tutorials.py`.", ""]
    return "\n".join(page)


def main(arguments: list[str]) -> int:
    os.environ.setdefault("MPLBACKEND", "agg")
    chosen = [name for name in TUTORIALS if not arguments or any(a in name for a in arguments)]
    for name in chosen:
        path = TARGET / f"{name}.md"
        # Seconds belong to a machine; docs/performance.md has them with theirs.
        text = re.sub(r"\b\d+\.\d\d s on ", "… s on ", render(name, TARGET))
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(HERE.parent)}")
    return 0 if chosen else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
