"""The example scripts: each runs, holds its own number, is short, and is the one that its tutorial page shows."""

from __future__ import annotations

import ast
import importlib.util
import runpy
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("*.py"), key=lambda path: path.stem)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tutorials = load(ROOT / "docs" / "tutorials.py")


@pytest.mark.slow
@pytest.mark.parametrize("name", tutorials.TUTORIALS)
def test_the_example_runs_and_its_number_holds(name: str, capsys: pytest.CaptureFixture) -> None:
    path = ROOT / "examples" / f"{name}.py"
    checks = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Assert)]
    assert checks, "an example asserts at least one number"
    runpy.run_path(str(path), run_name="example")
    assert "error budget" in capsys.readouterr().out


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_examples_are_short_and_explained(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) < 120
    assert len(ast.get_docstring(ast.parse(source)) or "") > 100


@pytest.mark.parametrize("name", tutorials.TUTORIALS)
def test_the_page_shows_the_script_as_it_is(name: str) -> None:
    page = (ROOT / "docs" / "tutorials" / f"{name}.md").read_text("utf-8")
    source = (ROOT / "examples" / f"{name}.py").read_text("utf-8")
    pieces = [(kind, text) for kind, text in tutorials.blocks(source) if kind != "plot"]
    assert len(pieces) > 8
    for kind, text in pieces:
        shown = tutorials.prose(text) if kind == "text" else f"```python\n{text}\n```"
        assert shown in page, f"python docs/tutorials.py was not run since {name}.py changed: {text[:60]!r}"
    assert (ROOT / "docs" / "tutorials" / f"{name}.png").exists()


def test_a_script_falls_into_its_parts() -> None:
    source = '"""Title.\n\nSo:\n\n    a = b\n"""\n\nimport os\n\n# ## Part\n# Text\n# more.\n'
    source += '\nx = 1\n\nif x:\n    # inner\n    y = 2\n\nif __name__ == "__main__":\n    plot()\n'
    assert tutorials.blocks(source) == [
        ("text", "Title.\n\nSo:\n\n    a = b"),
        ("code", "import os"),
        ("text", "## Part\nText\nmore."),
        ("code", "x = 1\n\nif x:\n    # inner\n    y = 2"),
        ("plot", 'if __name__ == "__main__":\n    plot()\n'),
    ]


@pytest.mark.slow
def test_the_demonstration_leaves_all_its_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    demo = load(ROOT / "examples" / "demo.py")
    assert demo.run(tmp_path / "demo", size=16) == 0
    found = {path.name for path in (tmp_path / "demo").iterdir()}
    assert found >= {
        "report.html",
        "result.json",
        "result.csv",
        "fields.vti",
        "study.toml",
        "provenance.json",
    }
    told = capsys.readouterr().out
    assert "16 x 16 x 16 voxels" in told
    assert "report.html in a browser" in told
