"""Builds the static pages of docs/*.md into docs/_build: plain HTML that opens without a server."""

from __future__ import annotations

import html
import re
import shutil
import sys
from pathlib import Path

import markdown

HERE = Path(__file__).resolve().parent
TARGET = HERE / "_build"
ORDER = ("index", "conventions")  # first in the menu; the others follow by title

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
nav a[aria-current] {{ font-weight: 600; opacity: 1; }}
main {{ padding: 2rem 2.5rem; max-width: 50rem; overflow-wrap: break-word; }}
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
  nav a {{ display: inline-block; margin-right: 1rem; }}
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


def sources() -> list[Path]:
    texts = {path: path.read_text(encoding="utf-8") for path in HERE.glob("*.md")}

    def place(path: Path) -> tuple[int, str]:
        return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), title_of(texts[path], path))

    return sorted(texts, key=place)


def convert(text: str) -> str:
    """HTML of one page: links to other pages point to their HTML, wide tables scroll on their own."""
    text = re.sub(r"\]\((?!https?:)([\w./-]+)\.md(#[\w-]*)?\)", r"](\1.html\2)", text)
    body = markdown.markdown(
        text, extensions=["tables", "fenced_code", "toc", "sane_lists"], output_format="html"
    )
    return body.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")


def entry(path: Path, title: str, *, current: bool) -> str:
    mark = " aria-current=page" if current else ""
    return f'<a href="{path.stem}.html"{mark}>{html.escape(title)}</a>'


def check_links(pages: dict[str, str]) -> list[str]:
    """Links and pictures that lead nowhere."""
    broken = []
    for name, page in pages.items():
        for link in re.findall(r'(?:href|src)="([^"#:]+)(?:#[^"]*)?"', page):
            if not (TARGET / link).exists():
                broken.append(f"{name}: {link}")
    return broken


def main() -> int:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    for asset in HERE.iterdir():
        if asset.suffix in {".png", ".svg", ".json", ".csv"}:
            shutil.copy(asset, TARGET)
        elif asset.is_dir() and asset.name in {"images", "assets", "figures"}:
            shutil.copytree(asset, TARGET / asset.name)
    paths = sources()
    titles = {path: title_of(path.read_text(encoding="utf-8"), path) for path in paths}
    pages = {}
    for path in paths:
        menu = "\n".join(entry(other, titles[other], current=other == path) for other in paths)
        content = convert(path.read_text(encoding="utf-8"))
        pages[path.stem] = PAGE.format(title=html.escape(titles[path]), menu=menu, content=content)
        (TARGET / f"{path.stem}.html").write_text(pages[path.stem], encoding="utf-8")
    broken = check_links(pages)
    for line in broken:
        print(f"broken link in {line}", file=sys.stderr)
    print(f"{len(pages)} pages in {TARGET.relative_to(HERE.parent)}, start at index.html")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
