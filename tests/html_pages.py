"""What a browser would make of a page: shared by the tests of all reports."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects what a browser would load, refer to or define; fails on unbalanced tags."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.references: set[str] = set()
        self.loaded: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self._look(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, dict(attrs))

    def _look(self, tag: str, attrs: dict[str, str | None]) -> None:
        if attrs.get("id"):
            self.ids[str(attrs["id"])] += 1
        if "data-copy" in attrs:
            self.references.add(str(attrs["data-copy"]))
        for name, value in attrs.items():
            self.references.update(re.findall(r"url\(#([^)]+)\)", value or ""))
            if name in ("href", "src", "xlink:href"):
                (self.references.add if str(value).startswith("#") else self.loaded.append)(
                    str(value).lstrip("#")
                )

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)


def assert_complete(text: str) -> Page:
    """The page loads nothing, all it refers to is in it, and no value or piece of a template is left open."""
    page = Page(text)
    assert [u for u in page.loaded if not u.startswith("data:image/png;base64,")] == []
    assert "@import" not in text
    addresses = set(re.findall(r"https?://[^\"'\s]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}, addresses
    assert max(page.ids.values()) == 1, page.ids.most_common(3)
    assert page.references <= set(page.ids), page.references - set(page.ids)
    unfilled = re.findall(r"\bnan\b|\binf\b|\bNone\b|\{\{|\{%", " ".join(page.words), re.IGNORECASE)
    assert unfilled == []
    return page
