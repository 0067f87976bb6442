"""Runs the examples of README.md and writes what they print, and the picture at its top.

    python docs/readme_examples.py

The Python block runs first, in an empty folder; its output goes between `<!-- output -->` and `<!-- end -->`. Then the
lines that start with "$ " in the console block run in the same folder. The picture is docs/figures/overview.png.
Seconds are left out: they belong to a machine, and docs/performance.md has them with theirs.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from scalebridge import HomogenizationResult
from scalebridge.cli.main import main as scalebridge

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "figures" / "overview.png"
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
OUTPUT = re.compile(r"(<!-- output -->\n).*?(<!-- end -->)", re.DOTALL)
SECONDS = re.compile(r"\b\d+\.\d\d s on ")
CONSOLE = re.compile(r"(<!-- console -->\n)```console\n(.*?)```\n(<!-- end -->)", re.DOTALL)


@contextlib.contextmanager
def in_empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


def python_block(text: str) -> str:
    """The first Python block of the page."""
    match = PYTHON.search(text)
    assert match is not None, "README.md has no Python example"
    return match[1]


def console_block(text: str) -> str:
    """The console block of the page: commands and their output."""
    match = CONSOLE.search(text)
    assert match is not None, "README.md has no console example"
    return match[2]


def run_python(code: str) -> tuple[str, dict[str, Any]]:
    """What the code prints, and the names it leaves."""
    told, names = io.StringIO(), {"__name__": "readme"}
    with contextlib.redirect_stdout(told):
        exec(compile(code, "README.md", "exec"), names)
    return told.getvalue(), names


def run_console(block: str) -> str:
    """Every command of the block with what it prints now."""
    lines = []
    for command in (line for line in block.splitlines() if line.startswith("$ ")):
        program, *words = shlex.split(command.removeprefix("$ "))
        assert program == "scalebridge", command
        told = io.StringIO()
        with contextlib.redirect_stdout(told), mock.patch.dict(os.environ, COLUMNS="80"):
            code = scalebridge(words)
        assert code in (0, 3), f"{command}: exit code {code}"
        lines += [command, *told.getvalue().rstrip().splitlines(), ""]
    return "\n".join(lines)


def draw(result: HomogenizationResult, path: Path = PICTURE) -> None:
    """Phases, local flux and budget of a result side by side."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.colors import ListedColormap

    image = result.image
    middle = image.grid.shape[2] // 2
    edges = (0, image.grid.lengths[0] * 1e6, 0, image.grid.lengths[1] * 1e6)
    figure, (left, centre, right) = plt.subplots(
        1, 3, figsize=(12, 3.7), layout="constrained", width_ratios=(1, 1.22, 1.15)
    )
    left.imshow(
        image.labels[:, :, middle].T,
        origin="lower",
        extent=edges,
        cmap=ListedColormap(["#20324a", "#e0b040"]),
    )
    left.set(title="1. An image: pores and quartz", xlabel="x [µm]", ylabel="y [µm]")
    flux = np.linalg.norm(result.fields[0].flux.values[:, :, :, middle], axis=0)
    shown = centre.imshow(
        flux.T / flux.mean(),
        origin="lower",
        extent=edges,
        cmap="viridis",
        vmax=np.quantile(flux, 0.995) / flux.mean(),
    )
    centre.set(title="2. The local heat flux / mean", xlabel="x [µm]", yticks=[])
    figure.colorbar(shown, ax=centre)
    terms = result.error.terms[::-1]
    amounts = [100 * (term.value or 0.0) for term in terms]
    right.barh([term.name for term in terms], amounts, color="#0b6e8f", height=0.55)
    for position, (term, amount) in enumerate(zip(terms, amounts, strict=True)):
        words = "not assessed" if term.value is None else f"{amount:.2g} %"
        right.annotate(
            words, (amount, position), (4, 0), textcoords="offset points", va="center", color="#5d6875"
        )
    mean = np.trace(result.value) / len(result.value)
    right.set(title=f"3. k = {mean:.2f} {result.unit} ± {result.error.total:.1%}", xlabel="error [%]")
    right.set_xlim(0, 1.35 * max(amounts))
    right.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> int:
    os.environ["COLUMNS"] = "110"
    text = README.read_text(encoding="utf-8")
    with in_empty_folder():
        told, names = run_python(python_block(text))
        console = run_console(console_block(text))
    text = OUTPUT.sub(lambda m: f"{m[1]}\n```text\n{told.rstrip()}\n```\n\n{m[2]}", text)
    text = CONSOLE.sub(lambda m: f"{m[1]}```console\n{console.rstrip()}\n```\n{m[3]}", text)
    README.write_text(SECONDS.sub("… s on ", text), encoding="utf-8")
    draw(names["result"])
    print(f"{README.name} and {PICTURE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
