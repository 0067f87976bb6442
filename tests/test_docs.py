"""The documentation: examples run and print what the pages show, links lead somewhere, tables come from records."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scalebridge.homogenize.result import BUDGET_TERMS
from scalebridge.study.parse import parse_study
from test_examples import load

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
PAGES = [path for path in PAGES if "_build" not in path.parts]


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def build() -> ModuleType:
    pytest.importorskip("markdown")
    path = list(sys.path)
    module = load(DOCS / "build.py")
    sys.path[:] = path
    return module


examples = load(DOCS / "readme_examples.py")
tables = load(DOCS / "readme_tables.py")
names = load(DOCS / "python_names.py")
README = (ROOT / "README.md").read_text("utf-8")


def numbers(text: str) -> list[float]:
    return [float(word.replace("−", "-")) for word in re.findall(r"[-−]?\d+\.\d+", text)]


def shape_of(text: str) -> list[str]:
    """The words of an output without its numbers and bars: what must not silently change."""
    plain = re.sub(r"[-−]?\d[\d.,]*(e[-−]?\d+)?", "#", text)
    return re.sub(r"[█▏]", "", plain).split()


@pytest.mark.slow
def test_the_readme_shows_what_its_python_example_prints(capsys: pytest.CaptureFixture) -> None:
    match = examples.OUTPUT.search(README)
    assert match is not None
    shown = match[0]
    with examples.in_empty_folder() as folder:
        told, left = examples.run_python(examples.python_block(README))
        assert (folder / "rock" / "report.html").exists()
    code_lines = [
        line for line in examples.python_block(README).splitlines() if line and not line.startswith("from")
    ]
    assert len(code_lines) <= 8
    # The value to a hundredth, the budget to a tenth: digits of an estimate may move when the solver is tuned.
    assert numbers(told)[0] == pytest.approx(numbers(shown)[0], rel=0.01)
    head = [line for line in shown.splitlines() if line.startswith("k = ")]
    assert left["result"].error.total == pytest.approx(
        float(re.findall(r"± ([\d.]+) %", head[0])[0]) / 100, rel=0.1
    )
    inside = shown.split("```text\n")[1].split("```")[0]
    assert numbers(told)[:8] == pytest.approx(numbers(inside)[:8], rel=0.01)
    for text in (told, inside):
        # The first word of a line names a term; the explanations behind it may use the same words.
        first = [line.split()[0] for line in text[text.index("error budget") :].splitlines() if line.split()]
        assert [word for word in first if word in BUDGET_TERMS] == list(BUDGET_TERMS)


@pytest.mark.slow
def test_the_readme_shows_what_its_commands_print() -> None:
    block = examples.console_block(README)
    with examples.in_empty_folder():
        code = examples.python_block(README).split("result = ")[0]
        examples.run_python(code)
        told = examples.run_console(block)
    inspected, shown = (text.split("$ scalebridge homogenize")[0] for text in (told, block))
    cut = "A run ("  # estimates of time and memory may be tuned
    assert shape_of(inspected.split(cut)[0]) == shape_of(shown.split(cut)[0])
    found, printed = (
        next(line for line in text.splitlines() if line.startswith("K = ")) for text in (told, block)
    )
    assert numbers(found)[:2] == pytest.approx(numbers(printed)[:2], rel=0.01)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[\w-]*)?\)", text):
        assert (path.parent / link).exists(), f"{page_name(path)} points to {link}"


def test_the_built_pages_have_no_broken_links(build: ModuleType, tmp_path: Path) -> None:
    pages = build.build(tmp_path / "site")
    assert {"index", "conventions", "tutorials/rock_conductivity", "changes"} <= set(pages)
    assert build.check_links(tmp_path / "site") == []
    index = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert 'href="tutorials/rock_conductivity.html"' in index
    below = (tmp_path / "site" / "tutorials" / "rock_conductivity.html").read_text("utf-8")
    assert 'href="../index.html"' in below


def test_a_broken_link_is_found(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#part">b</a><a href="c.html">c</a><h2 id="x"></h2>')
    (tmp_path / "b.html").write_text('<a href="a.html#x">a</a><img src="https://example.org/x.png">')
    assert build.check_links(tmp_path) == ["a.html: b.html#part", "a.html: c.html"]


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_python_in_the_pages_compiles(path: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
        compile(block, page_name(path), "exec")


def test_the_page_of_names_is_up_to_date() -> None:
    assert (DOCS / "python.md").read_text("utf-8") == names.page(), "run python docs/python_names.py"


def test_the_study_of_the_page_is_valid() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (DOCS / "study-files.md").read_text("utf-8"), re.DOTALL)
    study = parse_study(block)
    assert [phase.label for phase in study.phase] == [0, 1]
    assert study.boundary.compare == ["kubc", "subc"]


def test_tables_are_made_from_records(tmp_path: Path) -> None:
    row = {"quantity": "k_xx", "ours": 2.0002, "reference": 2.0, "asked": 1e-3, "relation": "=", "note": ""}
    off = {**row, "ours": 2.1, "quantity": "k_yy"}
    bound = {**row, "ours": 2.1, "relation": "<="}
    (tmp_path / "case.json").write_text(
        json.dumps({"seconds": 1, "tables": [{"title": "Layers", "rows": [row, off, bound]}]})
    )
    assert "| Layers | 1 of 3 | k_xx: 2.0002 | 2 | +1.0e-04 |" in tables.verification(tmp_path)
    (tmp_path / "case.json").unlink()
    record = {
        "benchmark": "tortuosity", "date": "2026-01-02", "load_before": 0.1,
        "machine": {"cpu": "a processor", "cores": 2, "memory_gb": 8.0}, "rows": [],
        "judged": [
            {"target": "cold", "limit": 0.5, "measured": 0.25, "met": True, "peer": "9 s"},
            {"target": "warm", "limit": 0.5, "measured": None, "met": False, "peer": ""},
        ],
    }  # fmt: skip
    (tmp_path / "tortuosity.json").write_text(json.dumps(record))
    shown = tables.peers(tmp_path)
    assert "| tortuosity: cold | 0.5 | 0.25 | 9 s | met |" in shown
    assert "| tortuosity: warm | 0.5 | not measured | – | **not met** |" in shown
    assert "a processor, 2 cores, 8 GB" in tables.machines(tmp_path)


def test_filling_twice_changes_nothing_and_unknown_tables_are_refused() -> None:
    text = "# T\n\n<!-- table verification -->\nold\n<!-- end -->\nafter\n"
    once = tables.filled(text)
    assert "old" not in once
    assert once.endswith("<!-- end -->\nafter\n")
    assert tables.filled(once) == once
    with pytest.raises(SystemExit, match="no table 'nothing'"):
        tables.filled("<!-- table nothing -->\n<!-- end -->")


def test_nothing_of_this_machine_is_in_the_pages() -> None:
    for path in PAGES:
        found = re.findall(r"(?<![\w.])/(?:work|tmp|home|root|opt)/\S*", path.read_text("utf-8"))
        assert not found, f"{page_name(path)} names {found}"


def test_the_citation_file_is_valid() -> None:
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    fields = dict(re.findall(r"^([a-z-]+): *(.*)$", text, re.MULTILINE))
    assert {"cff-version", "message", "title", "authors"} <= set(fields), "what the format requires"
    assert fields["cff-version"] == "1.2.0"
    assert fields["type"] == "software"
    assert fields["license"] == "BSD-3-Clause"
