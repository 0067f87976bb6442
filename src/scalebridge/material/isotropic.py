"""Isotropic materials: k for conduction, any two elastic constants for elasticity, alpha for expansion.

k = k 1,    C = 3 K J + 2 G (1 - J) with J the spherical projector,    alpha = alpha 1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scalebridge.core.errors import LawError
from scalebridge.material.symmetry import (
    Symmetry,
    TensorKind,
    Values,
    require_nonnegative,
    require_poisson,
)
from scalebridge.numerics.mandel import isotropic_stiffness

# Two constants -> (K, G). The arguments come in the order of the key.
_CONVERSIONS: dict[tuple[str, str], Callable[[Any, Any], tuple[Any, Any]]] = {
    ("E", "nu"): lambda e, nu: (e / (3 * (1 - 2 * nu)), e / (2 * (1 + nu))),
    ("K", "G"): lambda k, g: (k, g),
    ("E", "G"): lambda e, g: (e * g / (3 * (3 * g - e)), g),
    ("E", "K"): lambda e, k: (k, 3 * k * e / (9 * k - e)),
    ("E", "lambda_"): lambda e, lame: (
        (e + 3 * lame + np.sqrt(e * e + 9 * lame * lame + 2 * e * lame)) / 6,
        (e - 3 * lame + np.sqrt(e * e + 9 * lame * lame + 2 * e * lame)) / 4,
    ),
    ("G", "nu"): lambda g, nu: (2 * g * (1 + nu) / (3 * (1 - 2 * nu)), g),
    ("K", "nu"): lambda k, nu: (k, 3 * k * (1 - 2 * nu) / (2 * (1 + nu))),
    ("lambda_", "nu"): lambda lame, nu: (lame * (1 + nu) / (3 * nu), lame * (1 - 2 * nu) / (2 * nu)),
    ("lambda_", "G"): lambda lame, g: (lame + 2 * g / 3, g),
    ("K", "lambda_"): lambda k, lame: (k, 3 * (k - lame) / 2),
}
ELASTIC_CONSTANTS = ("E", "nu", "K", "G", "lambda_", "mu")


def bulk_and_shear(first: str, second: str) -> Callable[[Values], tuple[Any, Any]]:
    """The function from two named constants to (K, G); mu is another name of G."""
    names = {"G" if key == "mu" else key: key for key in (first, second)}
    if len(names) != 2 or not names.keys() <= {"E", "nu", "K", "G", "lambda_"}:
        raise LawError(
            f"{first} and {second} do not determine an isotropic solid. Give two of "
            f"{', '.join(ELASTIC_CONSTANTS)} "
            "(mu is another name of G), usually E and nu."
        )
    pair = next(pair for pair in _CONVERSIONS if set(pair) == names.keys())
    convert = _CONVERSIONS[pair]
    return lambda values: convert(values[names[pair[0]]], values[names[pair[1]]])


def stiffness_from(first: str, second: str) -> Symmetry:
    """The isotropic stiffness in terms of two of E, nu, K, G, lambda_, mu."""
    moduli = bulk_and_shear(first, second)

    def check(values: Values) -> None:
        require_nonnegative(values, *(key for key in (first, second) if key not in ("nu", "lambda_")))
        if "nu" in (first, second):
            require_poisson(values)
        with np.errstate(all="ignore"):
            try:
                bulk, shear = (float(modulus) for modulus in moduli(values))
            except ZeroDivisionError:
                bulk = shear = np.nan
        given = f"{first} = {values[first]:g} and {second} = {values[second]:g}"
        if not (np.isfinite(bulk) and np.isfinite(shear)):
            raise LawError(
                f"{given} do not determine an isotropic solid. Give E and nu (E=0 for a true void)."
            )
        if (bulk, shear) != (0.0, 0.0) and not (bulk > 0 and shear > 0):
            raise LawError(
                f"{given} give a bulk modulus of {bulk:g} and a shear modulus of {shear:g}; both must be "
                "positive, "
                "or both zero for a void. Try a small shear modulus for a soft, nearly fluid phase."
            )

    return Symmetry(
        name="isotropic",
        kind=TensorKind.STIFFNESS,
        keys=(first, second),
        formula=lambda values: isotropic_stiffness(*moduli(values)),
        check=check,
        singular=False,
    )


CONDUCTIVITY = Symmetry(
    name="isotropic",
    kind=TensorKind.CONDUCTIVITY,
    keys=("k",),
    formula=lambda values: values["k"] * np.eye(3),
    check=lambda values: require_nonnegative(values, "k"),
)
EXPANSION = Symmetry(
    name="isotropic",
    kind=TensorKind.EXPANSION,
    keys=("alpha",),
    formula=lambda values: values["alpha"] * np.eye(3),
)
STIFFNESSES: tuple[Symmetry, ...] = tuple(
    stiffness_from(*pair)
    for pair in (
        *_CONVERSIONS,
        *(tuple("mu" if key == "G" else key for key in pair) for pair in _CONVERSIONS if "G" in pair),
    )
)
VOID_CONDUCTIVITY = Symmetry("void", TensorKind.CONDUCTIVITY, (), lambda values: np.zeros((3, 3)))
VOID_STIFFNESS = Symmetry("void", TensorKind.STIFFNESS, (), lambda values: np.zeros((6, 6)))
VOID_EXPANSION = Symmetry("void", TensorKind.EXPANSION, (), lambda values: np.zeros((3, 3)))
