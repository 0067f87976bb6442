"""Builds the static pages of docs/**/*.md into docs/_build: plain HTML that opens without a server.

Tables between `<!-- table NAME -->` and `<!-- end -->` are filled from the records on the way.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
from pathlib import Path

import markdown

sys.path.insert(0, str(Path(__file__).resolve().parent))
from readme_tables import filled

HERE = Path(__file__).resolve().parent
TARGET = HERE / "_build"
# The menu: four kinds of pages, and what is in each; a page in none of them comes last.
MENU = {
    "": ("index",),
    "Tutorials": ("tutorials/rock_conductivity", "tutorials/composite_stiffness"),
    "How to": (
        "reading-images",
        "boundary-conditions",
        "reading-the-budget",
        "loading-paths",
        "study-files",
        "representativity",
        "running-in-parallel",
        "extending",
    ),
    "Background": (
        "verification",
        "verification-representativity",
        "verification-nonlinear",
        "error-budget",
        "performance",
    ),
    "Reference": ("python", "generators", "laws", "conventions", "changes"),
}
ELSEWHERE = {"changes": HERE.parent / "CHANGELOG.md"}  # pages that live at the root of the repository
ASSETS = {".png", ".svg", ".json", ".csv"}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - scalebridge</title>
<style>
:root {{ color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }}
body {{ margin: 0; font: 16px/1.6 system-ui, sans-serif; display: grid;
  grid-template-columns: 15rem minmax(0, 1fr); }}
nav {{ padding: 2rem 1.5rem; border-right: 1px solid var(--line); min-height: 100vh;
  box-sizing: border-box; }}
nav a {{ display: block; padding: .2rem 0; text-decoration: none; color: inherit; opacity: .75; }}
nav b {{ display: block; margin: 1.1rem 0 .2rem; font-size: 13px; opacity: .6; }}
nav a[aria-current] {{ font-weight: 600; opacity: 1; }}
main {{ padding: 2rem 2.5rem; max-width: 60rem; overflow-wrap: break-word; }}
main p, main li {{ max-width: 46rem; }}
h1 {{ line-height: 1.2; margin-top: 0; }}
h2 {{ margin-top: 2.2rem; }}
pre {{ padding: .9rem 1rem; border: 1px solid var(--line); border-radius: 6px; overflow-x: auto;
  font-size: 14px; }}
code {{ font-family: ui-monospace, monospace; font-size: .92em; }}
.table {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 15px; }}
th, td {{ padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }}
img {{ max-width: 100%; }}
@media (max-width: 46rem) {{
  body {{ display: block; }}
  nav {{ min-height: 0; padding: 1rem 1.2rem; border-right: 0; border-bottom: 1px solid var(--line); }}
  nav a {{ display: inline-block; margin-right: 1rem; font-size: 14px; }}
  nav b {{ display: none; }}
  main {{ padding: 1.2rem; }}
}}
</style>
</head>
<body>
<nav>{menu}</nav>
<main>{content}</main>
</body>
</html>
"""


def title_of(text: str, path: Path) -> str:
    match = re.search(r"^# (.+)$", text, re.MULTILINE)
    if match is None:
        raise SystemExit(f"{path.name} has no title (a line that starts with '# ').")
    return match[1].strip()


def sources() -> dict[str, Path]:
    """Page names ("tutorials/rock_conductivity") and their files, in the order of the menu."""
    found = {
        path.relative_to(HERE).with_suffix("").as_posix(): path
        for path in sorted(HERE.rglob("*.md"))
        if TARGET not in path.parents
    } | ELSEWHERE
    listed = [name for names in MENU.values() for name in names if name in found]
    return {name: found[name] for name in [*listed, *(set(found) - set(listed))]}


def convert(text: str) -> str:
    """HTML of one page: links to other pages point to their HTML, wide tables scroll on their own."""
    text = re.sub(r"\]\((?!https?:)([\w./-]+)\.md(#[\w-]*)?\)", r"](\1.html\2)", text)
    body = markdown.markdown(
        text, extensions=["tables", "fenced_code", "toc", "sane_lists"], output_format="html"
    )
    return body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")


def menu(titles: dict[str, str], current: str) -> str:
    """The links to all pages as seen from `current`."""
    up = "../" * current.count("/")
    grouped = {name for names in MENU.values() for name in names}
    lines = []
    for title, names in {**MENU, "More": tuple(n for n in titles if n not in grouped)}.items():
        present = [name for name in names if name in titles]
        if title and present:
            lines.append(f"<b>{title}</b>")
        for name in present:
            mark = " aria-current=page" if name == current else ""
            short = titles[name].removeprefix("Tutorial: ").removeprefix("How to ")
            words = html.escape(short[:1].upper() + short[1:] if short != titles[name] else short)
            lines.append(f'<a href="{up}{name}.html"{mark}>{words}</a>')
    return "\n".join(lines)


def check_links(target: Path) -> list[str]:
    """Links and pictures that lead nowhere, and marks within pages that are not there."""
    broken = []
    for path in sorted(target.rglob("*.html")):
        for link in re.findall(r'(?:href|src)="([^"]+)"', path.read_text(encoding="utf-8")):
            if re.match(r"(https?|data|mailto):", link):
                continue
            place, _, mark = link.partition("#")
            goal = (path.parent / place) if place else path
            pointed = mark and goal.suffix == ".html"
            if not goal.exists() or (pointed and f'id="{mark}"' not in goal.read_text(encoding="utf-8")):
                broken.append(f"{path.relative_to(target)}: {link}")
    return broken


def build(target: Path) -> list[str]:
    """All pages and pictures into `target`; returns the names of the pages."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for asset in HERE.rglob("*"):
        if asset.suffix in ASSETS and TARGET not in asset.parents:
            place = target / asset.relative_to(HERE)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(asset, place)
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources().items()}
    titles = {name: title_of(text, Path(name)) for name, text in texts.items()}
    for name, text in texts.items():
        page = PAGE.format(
            title=html.escape(titles[name]), menu=menu(titles, name), content=convert(filled(text))
        )
        path = target / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    return list(texts)


def main() -> int:
    pages = build(TARGET)
    broken = check_links(TARGET)
    for line in broken:
        print(f"broken link in {line}", file=sys.stderr)
    print(f"{len(pages)} pages in {TARGET.relative_to(HERE.parent)}, start at index.html")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
