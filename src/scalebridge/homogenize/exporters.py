"""Effective tensors in the notation of other programs and of papers: Voigt, CSV, LaTeX, Abaqus, VTK.

Inside, tensors are full or Mandel; every other order lives here and is tested with all-distinct entries.
    Voigt   xx, yy, zz, yz, xz, xy   engineering shear (gamma = 2 epsilon)
    Abaqus  xx, yy, zz, xy, xz, yz   engineering shear
    VTK     xx, yy, zz, xy, yz, xz   plain tensor components
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.homogenize.json_record import TensorForm, form_of, ordering, reported
from scalebridge.homogenize.result import BUDGET_TERMS, HomogenizationResult
from scalebridge.homogenize.words import reserve
from scalebridge.numerics.mandel import COMPONENTS, stiffness_to_voigt, strain_to_voigt, stress_to_voigt

if TYPE_CHECKING:
    from jaxtyping import Float, Num

# Positions in (xx, yy, zz, yz, xz, xy) of the components in the order of the other program.
ABAQUS_ORDER = (0, 1, 2, 5, 4, 3)
VTK_ORDER = (0, 1, 2, 5, 3, 4)
_ABAQUS_PER_LINE = 8


def to_vtk_components(field: Num[np.ndarray, "m *shape"]) -> Float[np.ndarray, "6 *shape"]:
    """A Mandel field (6, ...) as VTK symmetric tensors (6, ...): XX, YY, ZZ, XY, YZ, XZ without sqrt 2.

    A plane field (3, ...) gets zeros in its missing components.
    """
    components = stress_to_voigt(np.moveaxis(np.asarray(field, float), 0, -1))
    if components.shape[-1] == 3:
        full = np.zeros((*components.shape[:-1], 6))
        full[..., [0, 1, 5]] = components
        components = full
    return np.ascontiguousarray(np.moveaxis(components[..., VTK_ORDER], -1, 0))


def to_abaqus_stiffness(stiffness: np.ndarray) -> Float[np.ndarray, "6 6"]:
    """A Mandel stiffness (6, 6) as Abaqus' matrix (6, 6): engineering shear, order 11, 22, 33, 12, 13, 23."""
    order = np.array(ABAQUS_ORDER)
    return stiffness_to_voigt(np.asarray(stiffness, float))[np.ix_(order, order)]


def to_csv(result: HomogenizationResult) -> str:
    """The result as comma-separated lines: what, row, column, value, unit; tensors entry by entry.

    The tensor is written as people read it: conductivities in x, y, z, stiffnesses in Voigt notation.
    """
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    names = ordering(result) or ("",)
    write(["what", "row", "column", "value", "unit"])

    def rows(what: str, array: np.ndarray) -> None:
        entries = np.atleast_2d(reported(result, array))
        for i, row in enumerate(names):
            for j, column in enumerate(names):
                write([what, row, column, repr(float(entries[i, j])), result.unit])

    rows(result.quantity, result.value)
    # Numbers given without units stay without them.
    per_kelvin = ("1/K", f"{result.unit}/K") if result.unit else ("", "")
    vectors = (("expansion", strain_to_voigt), ("heat_free_stress", stress_to_voigt))
    for (name, convert), unit in zip(vectors, per_kelvin, strict=True):
        vector = result.extra.get(name)
        if vector is not None and np.ndim(vector) == 1:
            components = COMPONENTS[result.image.grid.ndim]
            for component, entry in zip(components, convert(np.asarray(vector, float)), strict=True):
                write([name, component, "", repr(float(entry)), unit])
    if result.bounds is not None:
        rows("Voigt bound", result.bounds.voigt)
        rows("Reuss bound", result.bounds.reuss)
        for side, scalars in (result.bounds.hashin_shtrikman or {}).items():
            for name, entry in scalars.items():
                write([f"Hashin-Shtrikman {side} {name}", "", "", repr(float(entry)), result.unit])
    if result.bracket is not None:
        rows("guaranteed lower bound", result.bracket.lower)
        rows("guaranteed upper bound", result.bracket.upper)
    for term in BUDGET_TERMS:
        value = next((entry.value for entry in result.error.terms if entry.name == term), None)
        write([f"relative error, {term}", "", "", "" if value is None else repr(float(value)), ""])
    write(["relative error, total", "", "", repr(result.error.total), ""])
    for phase in result.phases:
        write([f"fraction of phase {phase.label}", "", "", repr(float(phase.fraction)), ""])
    return out.getvalue()


def to_latex(result: HomogenizationResult) -> str:
    """The tensor as a LaTeX equation with unit; a comment names components and uncertainty. Needs amsmath.

    Entries are written with one common power of ten and the digits that the error budget supports, plus one.
    """
    names = ordering(result)
    entries = np.atleast_2d(reported(result, result.value))
    power, digits = _common_power(entries), _digits(result.error.total)
    scaled = entries / 10.0**power
    shown = [[_fixed(entry, _decimals(scaled, digits)) for entry in row] for row in scaled]
    body = " \\\\\n".join("  " + " & ".join(row) for row in shown)
    matrix = f"\\begin{{pmatrix}}\n{body}\n\\end{{pmatrix}}" if names else shown[0][0]
    factor = f" \\times 10^{{{power}}}" if power else ""
    unit = f"\\,\\mathrm{{{latex_unit(result.unit)}}}" if result.unit else ""
    symbol = _latex_symbol(result)
    order = f"components {', '.join(names)}" if names else f"along {'xyz'[result.axis or 0]}"
    if form_of(result.value, result.image.grid.ndim) is TensorForm.MANDEL:
        order += ", Voigt notation, engineering shear"
    total = result.error.total
    note = f"% {result.quantity}; {order}; relative error {total:.2g}{reserve(result)}"
    return f"{note}\n\\begin{{equation}}\n{symbol} = {matrix}{factor}{unit}\n\\end{{equation}}\n"


def to_abaqus(result: HomogenizationResult) -> str:
    """Material cards: *ELASTIC, TYPE=ANISOTROPIC or *CONDUCTIVITY, TYPE=ANISO, and *EXPANSION, TYPE=ANISO.

    Fails when: the result is a single number or of a 2-D image (InputError): these cards describe 3-D solids.
    """
    grid = result.image.grid
    form = form_of(result.value, grid.ndim)
    if form is TensorForm.SCALAR or grid.ndim != 3:
        kind = "a number" if form is TensorForm.SCALAR else "2-D"
        raise InputError(
            f"An Abaqus material needs a 3-D tensor; this result is {kind}. "
            "Run a 3-D image under periodic, KUBC or SUBC conditions."
        )
    unit = f" in {result.unit}" if result.unit else ""
    lines = [
        "*MATERIAL, NAME=SCALEBRIDGE",
        f"** {result.quantity}{unit}, relative error {result.error.total:.2g}{reserve(result)}",
    ]
    if form is TensorForm.SECOND_ORDER:
        lines += ["*CONDUCTIVITY, TYPE=ANISO", *_data_lines(abaqus_conductivity(result.value))]
        return "\n".join(lines) + "\n"
    lines += ["*ELASTIC, TYPE=ANISOTROPIC", *_data_lines(abaqus_elastic(result.value))]
    expansion = result.extra.get("expansion")
    if expansion is not None and np.ndim(expansion) == 1:
        lines += [
            "** expansion: 11, 22, 33, 12, 13, 23 with engineering shear",
            "*EXPANSION, TYPE=ANISO",
            *_data_lines(abaqus_expansion(np.asarray(expansion, float))),
        ]
    return "\n".join(lines) + "\n"


def abaqus_elastic(stiffness: np.ndarray) -> tuple[float, ...]:
    """The 21 constants of *ELASTIC, TYPE=ANISOTROPIC: the upper triangle column by column.

    D1111, D1122, D2222, D1133, D2233, D3333, D1112, D2212, D3312, D1212, D1113, ..., D2323.
    """
    matrix = to_abaqus_stiffness(stiffness)
    return tuple(float(matrix[i, j]) for j in range(6) for i in range(j + 1))


def abaqus_conductivity(conductivity: np.ndarray) -> tuple[float, ...]:
    """The 6 constants of *CONDUCTIVITY, TYPE=ANISO: k11, k12, k22, k13, k23, k33."""
    return tuple(float(conductivity[i, j]) for j in range(3) for i in range(j + 1))


def abaqus_expansion(expansion: np.ndarray) -> tuple[float, ...]:
    """The 6 constants of *EXPANSION, TYPE=ANISO: 11, 22, 33, 12, 13, 23 with engineering shear."""
    voigt = strain_to_voigt(np.asarray(expansion, float))
    return tuple(float(voigt[i]) for i in ABAQUS_ORDER)


def _data_lines(constants: Sequence[float]) -> list[str]:
    """Eight numbers a line, as the input file wants them."""
    chunks = [constants[i : i + _ABAQUS_PER_LINE] for i in range(0, len(constants), _ABAQUS_PER_LINE)]
    return [", ".join(f"{number:.9E}" for number in chunk) for chunk in chunks]


def _common_power(entries: np.ndarray) -> int:
    """The power of ten, a multiple of three, taken out of all entries."""
    largest = float(np.abs(entries).max(initial=0.0))
    if largest == 0.0 or 0.01 <= largest < 1e4:
        return 0
    return 3 * int(np.floor(np.log10(largest) / 3))


def _digits(relative_error: float) -> int:
    """Significant digits worth printing: one more than the error supports, between 3 and 7."""
    if relative_error <= 0:
        return 7
    return int(np.clip(np.ceil(-np.log10(relative_error)) + 1, 3, 7))


def _decimals(entries: np.ndarray, digits: int) -> int:
    """Decimals that give the largest entry `digits` significant digits."""
    largest = float(np.abs(entries).max(initial=0.0))
    whole = int(np.floor(np.log10(largest))) if largest > 0 else 0
    return max(0, digits - 1 - whole)


def _fixed(entry: float, decimals: int) -> str:
    """A number with that many decimals, without a negative zero."""
    text = f"{entry:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _latex_symbol(result: HomogenizationResult) -> str:
    if form_of(result.value, result.image.grid.ndim) is TensorForm.MANDEL:
        return "\\mathbf{C}"
    return "\\mathbf{k}" if len(result.value) > 1 else "k"


def latex_unit(unit: str) -> str:
    """Spaces become thin spaces; powers are braced."""
    pieces = unit.replace("%", "\\%").split("^")
    braced = [pieces[0]]
    for piece in pieces[1:]:
        length = next(
            (i for i, c in enumerate(piece) if not (c.isdigit() or (i == 0 and c == "-"))), len(piece)
        )
        braced.append(f"{{{piece[:length]}}}{piece[length:]}")
    return "^".join(braced).replace(" ", "\\,")
