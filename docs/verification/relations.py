"""Relations that hold for every image: duality, Hill, Levin, bounds, ordering of boundary conditions, shifts."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from docs.verification.record import Row, Table
from docs.verification.solve import conductivities, image_of, solve_tensor

from scalebridge import Conduction, Elasticity, Thermoelasticity, generate, homogenize
from scalebridge.cell.boundary import KinematicUniform, Periodic, StaticUniform
from scalebridge.homogenize.exact_relations import keller_product
from scalebridge.numerics.mandel import isotropic_stiffness


def tables(data: Path | None) -> list[Table]:
    return [_keller(), _hill(), _levin(), _hashin_shtrikman(), _ordering(), _shifts()]


def random_labels(shape: tuple[int, ...], seed: int, phases: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, phases, shape).astype(np.uint8)


def refined(labels: np.ndarray, factor: int) -> np.ndarray:
    """The same geometry on finer voxels."""
    for axis in range(labels.ndim):
        labels = np.repeat(labels, factor, axis=axis)
    return labels


def _keller() -> Table:
    base = random_labels((16, 16), 7)
    rows = []
    for factor in (1, 2, 4, 8, 16):
        index = refined(base, factor)
        one = solve_tensor(index, conductivities(1, 4, ndim=2)).value
        two = solve_tensor(index, conductivities(4, 1, ndim=2)).value
        product = float(np.trace(keller_product(one, two)) / 2)
        rows.append(
            Row(f"k(1, 4) R k(4, 1) R^T on {16 * factor} x {16 * factor} pixels", product, 4.0, 1e-9, ">=")
        )
    laws = [{0: Conduction.isotropic(k=a), 1: Conduction.isotropic(k=b)} for a, b in ((1.0, 4.0), (4.0, 1.0))]
    found = [
        homogenize(image_of(refined(base, 4)), each, accuracy=1e-4, throw=False).bracket for each in laws
    ]
    assert found[0] is not None
    assert found[1] is not None
    low = float(np.trace(keller_product(found[0].lower, found[1].lower)) / 2)
    rows.append(Row("the same with the lower bounds, 64 x 64 pixels", low, 4.0, 1e-9, "<="))
    return Table(
        "Keller's duality",
        "A random image of 16 x 16 squares, drawn with finer and finer pixels. The product with swapped "
        "conductivities is k1 k2 for the exact solution; elements overestimate each factor (upper bounds), "
        "divergence-free fluxes underestimate it. The excess is the discretization error of the singular "
        "corners.",
        tuple(rows),
    )


def _hill() -> Table:
    base, shear, bulk = random_labels((6, 5, 4), 3), 1.3, np.array([1.0, 9.0])
    weights = np.bincount(base.reshape(-1)) / base.size
    exact = 1 / np.sum(weights / (bulk + 4 * shear / 3)) - 4 * shear / 3
    matrices = np.stack([isotropic_stiffness(k, shear, 3) for k in bulk])
    rows = []
    for factor in (1, 2, 4, 8):
        value = solve_tensor(refined(base, factor), matrices).value
        found = float(value[:3, :3].sum() / 9)
        shape = " x ".join(str(n * factor) for n in base.shape)
        rows.append(Row(f"K* on {shape} voxels", found, float(exact), 1e-9, ">="))
        gap = float(np.abs(value - isotropic_stiffness(found, shear, 3)).max())
        rows.append(
            Row(f"distance from an isotropic tensor with that shear modulus, {shape}", gap, 0.0, 1e-6)
        )
    return Table(
        "Hill: equal shear moduli",
        "A random image, K = 1 and 9, G = 1.3 in both. The effective law is isotropic with the same shear "
        "modulus on any voxels (to the tolerance of the solver); its bulk modulus comes down to the exact "
        "one as voxels become finer.",
        tuple(rows),
    )


def _levin() -> Table:
    laws = {
        0: Thermoelasticity.isotropic(E=1.0, nu=0.3, alpha=1.0),
        1: Thermoelasticity.isotropic(E=10.0, nu=0.2, alpha=4.0),
    }
    bulk = [1.0 / (3 * 0.4), 10.0 / (3 * 0.6)]
    rows = []
    for n in (16, 32):
        result = homogenize(generate.sphere_array(n, 0.3), laws, residual=1e-8)
        effective = float(result.value[:3, :3].sum() / 9)
        factor = (1 / effective - 1 / bulk[0]) / (1 / bulk[1] - 1 / bulk[0])
        exact = 1.0 + (4.0 - 1.0) * factor
        found = float(np.mean(np.asarray(result.extra["expansion"])[:3]))
        rows.append(Row(f"thermal expansion, simple cubic spheres {n}^3", found, exact, 1e-7))
    return Table(
        "Levin, Rosen and Hashin: thermal expansion of two phases",
        "Expansion from the mean phase strains of the solved cell, against a1 + (a2 - a1)(1/K* - "
        "1/K1)/(1/K2 - 1/K1) with the effective bulk modulus of the same voxels.",
        tuple(rows),
    )


def _hashin_shtrikman() -> Table:
    rows = []
    f, image = 0.3, generate.sphere_array(32, 0.3)
    f = image.fractions[1]
    k1, k2 = 1.0, 10.0
    result = homogenize(image, {0: Conduction.isotropic(k=k1), 1: Conduction.isotropic(k=k2)}, residual=1e-6)
    assert result.bounds is not None
    assert result.bounds.hashin_shtrikman is not None
    lower = k1 + f / (1 / (k2 - k1) + (1 - f) / (3 * k1))
    upper = k2 + (1 - f) / (1 / (k1 - k2) + f / (3 * k2))
    given = result.bounds.hashin_shtrikman
    rows += [
        Row("k-, our bound", given["lower"]["k"], lower, 1e-12),
        Row("k+, our bound", given["upper"]["k"], upper, 1e-12),
        Row("k of the array, not below k-", float(result.value[0, 0]), lower, 0.0, ">="),
        Row("k of the array, not above k+", float(result.value[0, 0]), upper, 0.0, "<="),
    ]
    K1, G1, K2, G2 = 1.0, 0.6, 8.0, 5.0
    laws = {0: Elasticity.isotropic(K=K1, G=G1), 1: Elasticity.isotropic(K=K2, G=G2)}
    elastic = homogenize(image, laws, residual=1e-6)
    assert elastic.bounds is not None
    assert elastic.bounds.hashin_shtrikman is not None
    given = elastic.bounds.hashin_shtrikman

    def bulk(Ka: float, Ga: float, Kb: float, fa: float) -> float:
        return Ka + (1 - fa) / (1 / (Kb - Ka) + fa / (Ka + 4 * Ga / 3))

    def shear(Ka: float, Ga: float, Gb: float, fa: float) -> float:
        return Ga + (1 - fa) / (1 / (Gb - Ga) + 2 * fa * (Ka + 2 * Ga) / (5 * Ga * (Ka + 4 * Ga / 3)))

    effective = float(elastic.value[:3, :3].sum() / 9)
    rows += [
        Row("K-, our bound", given["lower"]["K"], bulk(K1, G1, K2, 1 - f), 1e-12),
        Row("K+, our bound", given["upper"]["K"], bulk(K2, G2, K1, f), 1e-12),
        Row("G-, our bound", given["lower"]["G"], shear(K1, G1, G2, 1 - f), 1e-12),
        Row("G+, our bound", given["upper"]["G"], shear(K2, G2, G1, f), 1e-12),
        Row("K of the array, not below K-", effective, bulk(K1, G1, K2, 1 - f), 0.0, ">="),
        Row("K of the array, not above K+", effective, bulk(K2, G2, K1, f), 0.0, "<="),
    ]
    return Table(
        "Hashin-Shtrikman bounds",
        "Our bounds against the closed formulas, and a simple cubic array of spheres (32^3, fraction 0.3) "
        "between them: k = 1 / 10, and K, G = 1, 0.6 / 8, 5.",
        tuple(rows),
    )


def _ordering() -> Table:
    rows = []
    index = random_labels((8, 7, 6), 11, 3)
    cases = {
        "conduction": conductivities(1, 8, 0.2),
        "elasticity": np.stack([isotropic_stiffness(k, g, 3) for k, g in ((1, 0.5), (6, 4), (0.3, 0.2))]),
    }
    for name, matrices in cases.items():
        weights = np.bincount(index.reshape(-1)) / index.size
        chain = {
            "Reuss": np.linalg.inv(np.einsum("p,pij->ij", weights, np.linalg.inv(matrices))),
            "SUBC": solve_tensor(index, matrices, boundary=StaticUniform()).value,
            "PBC": solve_tensor(index, matrices, boundary=Periodic()).value,
            "KUBC": solve_tensor(index, matrices, boundary=KinematicUniform()).value,
            "Voigt": np.einsum("p,pij->ij", weights, matrices),
        }
        for (low, a), (high, b) in itertools.pairwise(chain.items()):
            smallest = float(np.linalg.eigvalsh(b - a)[0] / np.linalg.norm(b))
            rows.append(
                Row(f"{name}: smallest eigenvalue of {high} - {low}, relative", smallest, 0.0, 0.0, ">=")
            )
    return Table(
        "Order of boundary conditions",
        "A random image of three phases, 8 x 7 x 6 voxels: Reuss <= SUBC <= PBC <= KUBC <= Voigt as quadratic forms.",
        tuple(rows),
    )


def _shifts() -> Table:
    index = random_labels((9, 8, 7), 5)
    cases = {
        "conduction": conductivities(1, 20),
        "elasticity": np.stack([isotropic_stiffness(k, g, 3) for k, g in ((1, 0.5), (20, 8))]),
    }
    rows = []
    for name, matrices in cases.items():
        value = solve_tensor(index, matrices).value
        moved = solve_tensor(np.roll(index, (2, 5, 3), axis=(0, 1, 2)), matrices).value
        gap = float(np.linalg.norm(value - moved) / np.linalg.norm(value))
        rows.append(Row(f"{name}: change of the tensor", gap, 0.0, 1e-9))
    return Table(
        "Shifted periodic cells",
        "A random image, 9 x 8 x 7 voxels, rolled by (2, 5, 3): the same material, so the same tensor.",
        tuple(rows),
    )
