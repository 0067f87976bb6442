r"""What is read off a cell at the end of an increment: averages, energies, identities, local fields.

Hill-Mandel: <s : e> = <s> : <e> holds for every equilibrium under conditions that do no work of fluctuation; what is
left of it measures the equilibrium. Energy: the work of an increment is what is stored and dissipated in it. Laws say
both for the end of the increment, and work is integrated by the trapezoidal rule: the difference is of the length of
the increment. References: [hill1963].
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell.nonlinear.fields import point_drives
from scalebridge.cell.nonlinear.march import Increment
from scalebridge.cell.nonlinear.newton import Batch
from scalebridge.cell.nonlinear.points import PointGroup, ask
from scalebridge.cell.nonlinear.problem import Equilibrium
from scalebridge.cell.session import slab_budget
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.path.result import PathFields, PathIncrement
from scalebridge.material.kinematics import Kinematics

if TYPE_CHECKING:
    from jaxtyping import Float, Num

MOST_COMPONENTS = 12


def virgin_energy(batch: Batch) -> float:
    """Free energy per volume of the undeformed cell."""
    elements = batch.elements
    shape = (elements.points, elements.size, batch.points.cells, batch.points.voxels)
    with jax.enable_x64(True):
        drive = jnp.asarray(
            np.broadcast_to(elements.kinematics.virgin(elements.ndim)[None, :, None, None], shape)
        )
        answer = ask(batch.points, batch.points.initial_state(), drive, 0.0, tangent=False)
    return float(answer.stored[0])


def measure(
    batch: Batch,
    image: PhaseImage,
    increment: Increment,
    before: PathIncrement | None,
    virgin: float | None,
) -> PathIncrement:
    """The row of an increment, without its tangent. virgin: `virgin_energy`, or None where laws say no energies."""
    found, elements = increment.balance, batch.elements
    drive, flux = point_values(batch, found)
    start = elements.kinematics.virgin(elements.ndim)
    density = np.einsum("qmn,qmn->qn", flux, drive - start[:, None])
    macroscopic = float(found.flux[0] @ (found.drive[0] - start))
    scale = float(np.abs(density).mean())
    gap = abs(float(density.mean()) - macroscopic) / scale if scale > 0 else 0.0
    work = float(increment.work[0])
    stored, dissipated, unbalanced = _energies(found, work, before, virgin)
    return PathIncrement(
        increment.number, increment.leg, increment.time, increment.dt, increment.cuts, found.drive[0], found.flux[0],
        None, stored, dissipated, work + (before.work if before else 0.0),
        found.residuals[:, 0], found.krylov[:, 0], _phase_means(image, drive.mean(axis=0)),
        _phase_means(image, flux.mean(axis=0)), gap, abs(work) + (before.turnover if before else 0.0),
        unbalanced,
    )  # fmt: skip


def _energies(
    found: Equilibrium, work: float, before: PathIncrement | None, virgin: float | None
) -> tuple[float | None, float | None, float | None]:
    """stored, dissipated and unbalanced since the start, after an increment of that work."""
    if virgin is None:
        return None, None, None
    stored, dissipated = float(found.stored[0]) - virgin, float(found.dissipated[0])
    stored_before, lost, unbalanced = 0.0, 0.0, 0.0
    if before is not None:
        stored_before, lost, unbalanced = (
            before.stored or 0.0,
            before.dissipated or 0.0,
            before.unbalanced or 0.0,
        )
    off = abs(work - (stored - stored_before) - dissipated)
    return stored, lost + dissipated, unbalanced + off


def point_values(
    batch: Batch, found: Equilibrium
) -> tuple[Float[np.ndarray, "points m N"], Float[np.ndarray, "points m N"]]:
    """Drive and flux of every point of the first cell: (points, m, N) each."""
    elements = batch.elements
    with jax.enable_x64(True):
        drive = np.asarray(point_drives(elements, found.w, jnp.asarray(found.drive), slab_budget())[:, :, 0])
    return drive.reshape(elements.points, elements.size, -1), np.asarray(found.point_flux[:, :, 0])


def _phase_means(image: PhaseImage, values: Num[np.ndarray, "m N"]) -> Float[np.ndarray, "P m"]:
    """Averages (P, m) of voxel values (m, N) over the phases, in the order of `image.present`."""
    index = image.index.reshape(-1)
    count = np.bincount(index)
    return np.stack([np.bincount(index, row) / count for row in values], axis=1)


def local_fields(batch: Batch, image: PhaseImage, increment: Increment) -> PathFields:
    """Everything local at the end of an increment."""
    found, grid = increment.balance, image.grid
    drive, flux = point_values(batch, found)

    def on_voxels(values: np.ndarray) -> np.ndarray:
        return values.mean(axis=0).reshape(-1, *grid.shape).astype(np.float32)

    internal: dict[str, np.ndarray] = {}
    for group, state in zip(batch.points.groups, found.state, strict=True):
        _internal(group, state, batch.elements.points, grid.shape, internal)
    return PathFields(
        increment.number, increment.time, _primary(batch, image, found), on_voxels(drive), on_voxels(flux), internal
    )  # fmt: skip


def _primary(batch: Batch, image: PhaseImage, found: Equilibrium) -> Float[np.ndarray, "c *nodes"]:
    """Macroscopic part and fluctuation at the nodes (c, *shape + 1), in the unit of the spacing."""
    elements, grid = batch.elements, image.grid
    edge = math.prod(grid.cell_size) ** (1 / grid.ndim)
    pad = [(0, 1)] * grid.ndim
    w = np.stack([np.asarray(v[0], float) * edge for v in found.w])
    if elements.periodic:
        w = np.stack([np.pad(v, pad, mode="wrap") for v in w])
    gradient = _gradient(elements.kinematics, grid.ndim, found.drive[0])
    axes = [np.arange(n + 1) * h for n, h in zip(grid.shape, grid.cell_size, strict=True)]
    for i in range(len(w)):
        for j, x in enumerate(axes):
            w[i] += gradient[i, j] * x.reshape([-1 if a == j else 1 for a in range(grid.ndim)])
    return w.astype(np.float32)


def _gradient(kinematics: Kinematics, ndim: int, drive: Float[np.ndarray, " m"]) -> Float[np.ndarray, "c d"]:
    """Of the macroscopic displacement (d, d), or potential (1, d)."""
    from scalebridge.numerics.mandel import from_mandel

    if not kinematics.vector:
        return drive[None]
    if kinematics.symmetric:
        return from_mandel(drive)
    return drive.reshape(ndim, ndim) - np.eye(ndim)


def _internal(
    group: PointGroup, state: Any, points: int, shape: tuple[int, ...], into: dict[str, np.ndarray]
) -> None:
    """Adds what the laws of a group remember to `into`: means over the points of a voxel."""
    voxels = math.prod(shape)
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    for path, leaf in leaves:
        components = leaf.shape[2:]
        if math.prod(components) > MOST_COMPONENTS:
            continue
        name = _spoken(path)
        values = np.asarray(leaf[0], float).reshape(points, -1, math.prod(components)).mean(axis=0)
        field = np.zeros((math.prod(components), voxels + 1), np.float32)
        field[:, group.members[0]] = values.T
        field = field[:, :voxels].reshape(*components, *shape)
        if name in into and into[name].shape != field.shape:
            name = f"{name} of {group.names[0]}"
        into[name] = into[name] + field if name in into else field


def _spoken(path: tuple[Any, ...]) -> str:
    """The place of a leaf in a state, in words; that a law is reduced to the plane is nothing to remember."""
    words = [str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", "")))) for key in path]
    return " ".join(word.replace("_", " ") for word in words if word != "inner") or "state"
