"""Numbers and verdicts of a result in words: shared by the terminal, the notebook and the report."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import TYPE_CHECKING

import numpy as np

from scalebridge.homogenize.json_record import TensorForm, form_of
from scalebridge.homogenize.result import HomogenizationResult

if TYPE_CHECKING:
    from jaxtyping import Num

_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
# A prefix may stand before a unit whose first symbol has the power one (not "m^2"), and only where it is
# usual.
_PREFIXABLE = re.compile(r"(Pa|m|W|V|A|J|S|F|H|g|s|N)(?![\w^²³])")
_ALWAYS = ("Pa", "m")  # nobody writes 70100000000 Pa or 0.000005345 m
_GREEK = {"sigma": "σ", "epsilon": "ε", "mu": "µ"}
_BOUNDARIES = {
    "periodic": "periodic conditions",
    "kubc": "kinematic uniform conditions (KUBC)",
    "subc": "static uniform conditions (SUBC)",
    "faces": "between two opposite faces",
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclasses.dataclass(frozen=True)
class Scale:
    """Multiply SI values by `factor` and write `unit` after them."""

    factor: float
    unit: str

    def show(self, value: float, digits: int = 4) -> str:
        """Value and unit, e.g. "70.1 GPa"; the unit is left out where there is none."""
        return f"{number(value * self.factor, digits)} {self.unit}".rstrip()


def scale_of(magnitude: float, unit: str) -> Scale:
    """A prefix (or a power of ten where the unit takes none) that makes `magnitude` readable."""
    shown = re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_SUPERSCRIPTS), unit)
    if not math.isfinite(magnitude) or magnitude == 0.0:
        return Scale(1.0, shown)
    head = _PREFIXABLE.match(unit)
    if not (head and head[0] in _ALWAYS) and 1e-2 <= abs(magnitude) < 1e5:
        return Scale(1.0, shown)
    # Rounded first, so that 999.96 becomes 1 k and not 1000.
    power = 3 * math.floor(math.log10(abs(float(f"{magnitude:.3e}"))) / 3 + 1e-12)
    if head and power in _PREFIXES:
        return Scale(10.0**-power, _PREFIXES[power] + shown)
    return (
        Scale(10.0**-power, f"×10{str(power).translate(_SUPERSCRIPTS)} {shown}".rstrip())
        if power
        else Scale(1.0, shown)
    )


def scale_for(result: HomogenizationResult) -> Scale:
    """One scale for every entry of the effective tensor and its bounds."""
    return scale_of(float(np.abs(result.value).max()), result.unit)


def number(value: float | None, digits: int = 4) -> str:
    """`digits` significant digits without needless zeros; an en dash for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0.0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}".replace("-", "−")
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{decimals}f}".replace("-", "−")


def aligned(values: np.ndarray, digits: int = 5) -> list[list[str]]:
    """The rows of a matrix with equal decimals, so that the largest entry has `digits` significant ones.

    Entries far below the largest show as zeros; their digits are in the records.
    """
    top = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if top and not 1e-3 <= top < 1e6:
        return [[number(float(v), digits) for v in row] for row in values]
    decimals = max(digits - 1 - (math.floor(math.log10(top)) if top else 0), 0)
    rows = [[f"{v:.{decimals}f}" if math.isfinite(v) else "–" for v in row] for row in values]
    # No minus in front of a zero that only rounding left there.
    return [[c.lstrip("-") if not c.strip("-0.") else c.replace("-", "−") for c in row] for row in rows]


def percent(relative: float | None) -> str:
    """A relative number as a percentage with two significant digits, or "not assessed"."""
    if relative is None:
        return "not assessed"
    if not math.isfinite(relative):
        return "unbounded"
    share = 100.0 * relative
    if share == 0.0:
        return "0 %"
    if share < 1e-3:
        return "< 0.001 %"
    return f"{float(f'{share:.2g}'):g} %".replace("-", "−")


def isotropic_part(tensor: Num[np.ndarray, "m m"], ndim: int) -> dict[str, float]:
    """Moduli of the closest isotropic tensor (projection on the isotropic ones): {"k"}, {"K", "G"} or
    {"value"}.

    Each is a sum of quadratic forms of the tensor, so bounds that are ordered as tensors give ordered moduli.
    In 2-D, K and G are the plane (area) moduli.
    """
    form = form_of(tensor, ndim)
    if form is TensorForm.SCALAR:
        return {"value": float(tensor[0, 0])}
    if form is TensorForm.SECOND_ORDER:
        return {"k": float(np.trace(tensor)) / ndim}
    bulk = float(tensor[:ndim, :ndim].sum()) / ndim**2
    shear = (float(np.trace(tensor)) - ndim * bulk) / (2 * (len(tensor) - 1))
    return {"K": bulk, "G": shear}


def anisotropy(result: HomogenizationResult) -> float:
    """Relative distance (Frobenius) of the tensor to the closest isotropic one."""
    ndim, m = result.image.grid.ndim, len(result.value)
    moduli = isotropic_part(result.value, ndim)
    norm = float(np.linalg.norm(result.value))
    if m == 1 or norm == 0.0:
        return 0.0
    if form_of(result.value, ndim) is TensorForm.SECOND_ORDER:
        closest = moduli["k"] * np.eye(m)
    else:
        trace = np.zeros(m)
        trace[:ndim] = 1.0
        spherical = np.outer(trace, trace) / ndim
        closest = ndim * moduli["K"] * spherical + 2 * moduli["G"] * (np.eye(m) - spherical)
    return float(np.linalg.norm(result.value - closest)) / norm


def value_in_words(result: HomogenizationResult) -> str:
    """One line: a single number where the tensor is isotropic within its own error, else a range."""
    ndim = result.image.grid.ndim
    form = form_of(result.value, ndim)
    scale = scale_for(result)
    moduli = isotropic_part(result.value, ndim)
    if form is TensorForm.SCALAR:
        along = "" if result.axis is None else f" along {'xyz'[result.axis]}"
        return f"{result.quantity}{along} = {scale.show(moduli['value'])}"
    if form is TensorForm.MANDEL:
        words = f"K = {scale.show(moduli['K'])}, G = {scale.show(moduli['G'])}"
        return words if _is_isotropic(result) else f"{words} (isotropic part)"
    symbol = result.extra.get("symbol", "k")
    symbol = _GREEK.get(symbol, symbol)
    if _is_isotropic(result):
        return f"{symbol} = {scale.show(moduli['k'])}"
    principal = np.linalg.eigvalsh(0.5 * (result.value + result.value.T)) * scale.factor
    return f"{symbol} = {number(principal[0])} to {number(principal[-1])} {scale.unit}".rstrip()


def _is_isotropic(result: HomogenizationResult) -> bool:
    return anisotropy(result) <= max(0.01, result.error.total)


def reserve(result: HomogenizationResult) -> str:
    """What follows a total that is only part of the error: " without the discretization error", or nothing."""
    missing = result.error.missing
    return "" if missing is None else f" without the {missing.name} error"


def total_in_words(result: HomogenizationResult) -> str:
    """E.g. "2.1 %", or "0.1 % without the discretization error": part of an error never passes for all of it."""
    return percent(result.error.total) + reserve(result)


def headline(result: HomogenizationResult) -> str:
    """E.g. "k = 1.83 W/(m K) ± 2.1 %, accuracy asked 1 %: not met"."""
    missing = result.error.missing
    words = f"{value_in_words(result)} ± {total_in_words(result)}"
    if result.error.met is None:
        return words
    verdict = "met" if result.error.met else "not met" if missing is None else "not confirmed"
    return f"{words}, accuracy asked {percent(result.error.accuracy)}: {verdict}"


def length(metres: float) -> str:
    """A length with the prefix that suits it."""
    return scale_of(metres, "m").show(metres)


def boundary_in_words(result: HomogenizationResult) -> str:
    """The boundary conditions, spelled out."""
    return _BOUNDARIES.get(result.boundary, result.boundary)


def box_in_words(result: HomogenizationResult) -> str:
    """E.g. "96 × 96 × 96 voxels of 5.345 µm (513.1 µm × ...)"."""
    grid = result.image.grid
    shape = " × ".join(str(n) for n in grid.shape)
    if grid.spacing is None:
        return f"{shape} voxels, spacing unknown"
    edges = sorted(set(grid.spacing))
    voxel = length(edges[0]) if len(edges) == 1 else " × ".join(length(h) for h in grid.spacing)
    return f"{shape} voxels of {voxel} ({' × '.join(length(n) for n in grid.lengths)})"


def sentence(text: str) -> str:
    """With a capital first letter; the rest is left alone."""
    return text[:1].upper() + text[1:]


def spoken(name: str) -> str:
    """An identifier as words: heat_free_stress -> heat free stress. Symbols with an index (E_x, nu_xy) stay."""
    return name if re.match(r"(E|G|K|nu)_[xyz]+$", name) else name.replace("_", " ")
