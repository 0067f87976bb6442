"""Writes docs/python.md: the public names with the first paragraph of their docstrings.

python docs/python_names.py
"""

from __future__ import annotations

import enum
import inspect
import types
from pathlib import Path
from typing import Any

import scalebridge

PAGE = Path(__file__).resolve().parent / "python.md"
GROUPS = {
    "Images": ("read_image", "read_grey", "write_image", "RawLayout", "describe", "PhaseImage", "GreyImage",
               "VoxelGrid", "Field", "generate"),
    "Laws": ("Conduction", "Elasticity", "Thermoelasticity", "PlaneState", "quantity"),
    "Boundary conditions": ("Periodic", "KinematicUniform", "StaticUniform", "OppositeFaces", "Platens"),
    "Solving": ("homogenize", "estimate", "Subvolumes", "HomogenizationResult", "enable_compilation_cache"),
    "Loading paths": ("follow_path", "PathResult"),
    "Writing": ("write_report", "write_results"),
}  # fmt: skip
HEAD = """# The Python names

All of these come from `scalebridge` itself: `from scalebridge import homogenize`. This page is written by
`docs/python_names.py` from the docstrings; `help(name)` says more.
"""
TAIL = """## One floor down

- `scalebridge.homogenize.localize(result, strain)`: the local fields under any macroscopic load.
- `scalebridge.homogenize.concentration`: `flux_concentration`, `energy_concentration`: histograms and hot spots.
- `scalebridge.microstructure`: `crop`, `mirror`, `coarsen`, `relabel`, `keep_largest_component`, `specific_surface`.
- `scalebridge.material.laws`: nonlinear laws and laws of your own ([laws](laws.md));
  `scalebridge.material.laws.catalogue.law_from_words("j2", {"E": "70 GPa", ...})`: a law by name.
- `scalebridge.cell.nonlinear.loading.leg_of(SMALL_STRAIN, 3, {"xx": 0.01}, rest_free=True)`: a leg of a path.
- `scalebridge.report.path`: `write_path_results`, `write_path_report`.
- `scalebridge.homogenize.exporters`: CSV, LaTeX, Abaqus.
"""


def paragraphs(thing: Any, count: int = 1) -> str:
    text = inspect.getdoc(thing) or ""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")[:count])


def signature(name: str, thing: Any) -> str:
    """The call without types, which the text explains better; values that are objects are left out."""
    if isinstance(thing, types.ModuleType) or (inspect.isclass(thing) and issubclass(thing, enum.Enum)):
        return name
    shown = []
    keyword_only = False
    for one in inspect.signature(thing).parameters.values():
        if one.kind is one.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            shown.append("*")
        plain = isinstance(one.default, str | int | float | tuple | None) and not isinstance(
            one.default, enum.Enum
        )
        value = "" if one.default is one.empty else f"={one.default!r}" if plain else "=..."
        shown.append(one.name + value)
    return f"{name}({', '.join(shown)})"


def functions_of(module: types.ModuleType) -> list[tuple[str, Any]]:
    return [
        (name, thing)
        for name, thing in vars(module).items()
        if inspect.isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    ]


def constructors_of(thing: type) -> list[tuple[str, Any]]:
    return [
        (name, getattr(thing, name))
        for name, entry in vars(thing).items()
        if isinstance(entry, staticmethod | classmethod) and not name.startswith("_")
    ]


def entry(name: str) -> list[str]:
    thing = getattr(scalebridge, name)
    if name == "homogenize":  # a module that can be called
        from scalebridge.homogenize.driver import homogenize as thing
    lines = [f"### {name}", "", "```text", signature(name, thing), "```", "", paragraphs(thing, 2), ""]
    parts = functions_of(thing) if isinstance(thing, types.ModuleType) else []
    if inspect.isclass(thing):
        parts = constructors_of(thing)
    for part, function in parts:
        lines.append(f"- `{name}.{signature(part, function)}`: {paragraphs(function)}")
    return [*lines, ""] if parts else lines


def page() -> str:
    listed = {name for names in GROUPS.values() for name in names}
    missing = set(scalebridge.__all__) - listed
    if missing:
        raise SystemExit(f"Public names in no group of docs/python_names.py: {', '.join(sorted(missing))}")
    lines = [HEAD]
    for group, names in GROUPS.items():
        lines += [f"## {group}", ""]
        for name in names:
            lines += entry(name)
    return "\n".join([*lines, TAIL])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
