"""Templates of pages: the parts they share lie beside them, in the package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from scalebridge.homogenize import words


def fill(name: str, context: Mapping[str, Any]) -> str:
    """The template `name` with its includes, filled in. Everything is escaped unless it is marked `safe`."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = resources.files("scalebridge.report")
    loader = FunctionLoader(lambda part: folder.joinpath(part).read_text(encoding="utf-8"))
    return (
        Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        .get_template(name)
        .render(context)
    )


def safe(svg: str) -> Any:
    """Our own SVG is markup; everything else in a page is escaped."""
    from markupsafe import Markup

    return Markup(svg)


def tree(node: Any) -> list[tuple[str, Any]]:
    """Nested provenance as (name, text or subtree) pairs."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    made: list[tuple[str, Any]] = []
    for key, value in items:
        if (isinstance(value, Mapping) and value) or (
            isinstance(value, list) and any(isinstance(v, Mapping | list) for v in value)
        ):
            made.append((words.spoken(str(key)), tree(value)))
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            made.append((words.spoken(str(key)), text if text not in ("None", "{}", "") else "–"))
    return made
