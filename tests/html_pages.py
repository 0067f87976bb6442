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
