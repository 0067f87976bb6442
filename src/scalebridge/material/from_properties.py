"""Laws from named properties, as they come from a command line or a study file.

Which symmetry class is meant follows from the set of names; every class in SYMMETRIES can be given this way.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from scalebridge.core.errors import LawError
from scalebridge.core.units import Dimension, Uncertain
from scalebridge.material.conduction import Conduction, along
from scalebridge.material.elasticity import Elasticity
from scalebridge.material.oriented_tensor import OrientedTensor
from scalebridge.material.physics import TRANSPORTS, Physics, transport_of_dimension
from scalebridge.material.symmetries import SYMMETRIES
from scalebridge.material.symmetry import Symmetry, TensorKind, as_uncertain
from scalebridge.material.thermoelasticity import Thermoelasticity

DIRECTIONS = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
_KINDS = {
    Physics.CONDUCTION: (TensorKind.CONDUCTIVITY,),
    Physics.ELASTICITY: (TensorKind.STIFFNESS,),
    Physics.THERMOELASTICITY: (TensorKind.STIFFNESS, TensorKind.EXPANSION),
}
_USUAL = {
    TensorKind.CONDUCTIVITY: "k; kx,ky,kz; k_axial,k_radial[,axis]; or k_xx,k_yy,k_zz,k_yz,k_xz,k_xy",
    TensorKind.STIFFNESS: (
        "E,nu; K,G (or another pair of E, nu, K, G, lambda, mu); C11,C12,C44; "
        "E_axial,E_radial,nu_axial,nu_radial,G_axial[,axis]; E_x,E_y,E_z,nu_xy,nu_yz,nu_xz,G_xy,G_yz,G_xz; "
        "or all of C11,C12,...,C66"
    ),
    TensorKind.EXPANSION: "alpha; alpha_x,alpha_y,alpha_z; or alpha_axial,alpha_radial[,axis]",
}


def law_from_properties(
    physics: Physics | str, properties: Mapping[str, Any]
) -> Conduction | Elasticity | Thermoelasticity:
    """The law of one phase from named numbers (float or Uncertain) and, if it has one, `axis` (x, y or z).

    The unit of a conductivity decides what it is called (S/m: electrical conductivity, m^2/s: diffusivity).
    Fails when: a name is unknown, missing or one too many, or the numbers are impossible (LawError).
    """
    physics = _as_physics(physics)
    given = {_canonical(physics, key): value for key, value in properties.items()}
    if len(given) < len(properties):
        raise LawError(f"A property is given twice among {', '.join(properties)}.")
    axis = given.pop("axis", None)
    rotation = None if axis is None else along(_direction(axis))
    tensors: dict[TensorKind, OrientedTensor] = {}
    for kind in _KINDS[physics]:
        own = {key: as_uncertain(value) for key, value in given.items() if key in _keys(kind)}
        if kind is TensorKind.EXPANSION and not own and tensors[TensorKind.STIFFNESS].is_zero:
            return Thermoelasticity.void()
        symmetry = _symmetry(physics, kind, own)
        tensors[kind] = OrientedTensor.of(symmetry, own, rotation)
    if axis is not None and not any("axial" in key for key in given):
        raise LawError(
            f"axis belongs to a transversely isotropic material, but {', '.join(given)} has no axis. "
            f"Give {_USUAL[_KINDS[physics][0]]}."
        )
    if physics is Physics.CONDUCTION:
        conductivity = tensors[TensorKind.CONDUCTIVITY]
        return Conduction(conductivity, transport_of_dimension(_common_dimension(conductivity)))
    elasticity = Elasticity(tensors[TensorKind.STIFFNESS])
    if physics is Physics.ELASTICITY:
        return elasticity
    return Thermoelasticity(elasticity, tensors[TensorKind.EXPANSION])


def dimension_of(physics: Physics | str, key: str) -> tuple[Dimension, ...] | None:
    """What a property may measure, for unit parsing; None for `axis`, which is a letter.

    Fails when: there is no such property (LawError, with the nearest valid name).
    """
    physics = _as_physics(physics)
    name = _canonical(physics, key)
    if name == "axis":
        return None
    if name in _keys(TensorKind.EXPANSION):
        return (Dimension.EXPANSION,)
    if physics is Physics.CONDUCTION:
        # Plain numbers are always accepted; a relative permittivity is one.
        return tuple(transport.dimension for transport in TRANSPORTS)
    return (Dimension.DIMENSIONLESS,) if name.startswith("nu") else (Dimension.PRESSURE,)


def accepted_properties(physics: Physics | str) -> str:
    """The accepted sets of names, in words, for messages and help."""
    return "; and with them ".join(_USUAL[kind] for kind in _KINDS[_as_physics(physics)])


def _as_physics(physics: Physics | str) -> Physics:
    try:
        return Physics(physics)
    except ValueError:
        near = difflib.get_close_matches(str(physics), list(Physics), n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise LawError(f"Unknown physics {physics!r}; there are {', '.join(Physics)}.{hint}") from None


def _candidates(kind: TensorKind) -> list[Symmetry]:
    return [s for s in SYMMETRIES if s.kind is kind and s.keys and not _is_plane(s)]


def _is_plane(symmetry: Symmetry) -> bool:
    """2-D tensors are effective ones; phases are given in 3-D, also in a 2-D cell."""
    return symmetry.name == "anisotropic" and len(symmetry.keys) == (6 if symmetry.keys[0] == "C11" else 3)


def _keys(kind: TensorKind) -> set[str]:
    return {key for symmetry in _candidates(kind) for key in symmetry.keys}


def _canonical(physics: Physics, key: str) -> str:
    """The name as the formulae know it: underscores do not matter (Ex, E_x; k_x, kx; lambda, lambda_)."""
    known = {name for kind in _KINDS[physics] for name in _keys(kind)} | {"axis"}
    plain = {name.replace("_", ""): name for name in known}
    name = plain.get(key.strip().replace("_", ""))
    if name is not None:
        return name
    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(key.lower(), list(folded), n=1, cutoff=0.5)
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    raise LawError(f"Unknown property {key!r} for {physics}.{hint} Accepted: {accepted_properties(physics)}.")


def _symmetry(physics: Physics, kind: TensorKind, own: Mapping[str, Uncertain]) -> Symmetry:
    candidates = _candidates(kind)
    for symmetry in candidates:
        if set(symmetry.keys) == set(own):
            return symmetry
    if not own:
        raise LawError(f"No {kind.value} is given for {physics}. Give {_USUAL[kind]}.")
    # The class that needs the fewest further names explains best what is missing.
    wider = [symmetry for symmetry in candidates if set(own) < set(symmetry.keys)]
    listed = ", ".join(own)
    if wider:
        closest = min(wider, key=lambda symmetry: len(symmetry.keys))
        missing = [key.rstrip("_") for key in closest.keys if key not in own]
        shown = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
        raise LawError(
            f"{listed} alone does not make a {kind.value}: {shown} is missing ({closest.name}). "
            f"Accepted: {_USUAL[kind]}."
        )
    raise LawError(f"{listed} do not belong together. Accepted: {_USUAL[kind]}.")


def _direction(axis: Any) -> tuple[float, ...]:
    letter = str(axis).strip().lower()
    if letter not in DIRECTIONS:
        raise LawError(f"axis = {axis} is not a direction; give x, y or z.")
    return DIRECTIONS[letter]


def _common_dimension(conductivity: OrientedTensor) -> Dimension | None:
    dimensions = {
        entry.dimension for entry in conductivity.parameters.values() if entry.dimension is not None
    }
    if len(dimensions) > 1:
        raise LawError(
            "The conductivities of one phase measure different things: "
            + " and ".join(sorted(dimension.words for dimension in dimensions))
            + "."
        )
    return next(iter(dimensions), None)
