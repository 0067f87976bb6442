r"""How stiff is a composite, and where is it loaded most?

Glass spheres in epoxy. The effective stiffness C* follows from six cell problems, one per unit strain E:

    div sigma = 0,    sigma = C(x) : eps(u),    <eps> = E,    then    <sigma> = C* : E.

The same six solutions lead back down: the stress in every voxel under any macroscopic strain is their combination, so
that a strength criterion can be applied where it belongs, in the matrix next to the spheres.
"""

import numpy as np

from scalebridge import Elasticity, generate, homogenize, quantity
from scalebridge.homogenize import localize
from scalebridge.homogenize.concentration import flux_concentration

# ## The composite
# Nine spheres, a fifth of the volume; the cell is periodic, so a sphere that leaves through one face comes back through
# the opposite one.

composite = generate.random_spheres((40, 40, 40), 0.20, radius=7, seed=4, spacing="1 um")
epoxy = Elasticity.isotropic(E=quantity("3 GPa"), nu=0.35)
glass = Elasticity.isotropic(E=quantity("70 GPa"), nu=0.22)
print(composite)

# ## The stiffness and its error
# One call solves all six loads. Tensors are printed in Voigt form with engineering shear, ready for a finite-element
# code; inside they are in Mandel form (see [conventions](../conventions.md)).

result = homogenize(composite, {0: epoxy, 1: glass}, accuracy=0.06)
print(result)

# Is it isotropic? The universal anisotropy index is zero for an isotropic tensor. The bounds beside it are analytical:
# with stiff spheres in a soft matrix the lower Hashin-Shtrikman bound is close.

print(f"universal anisotropy {result.extra['anisotropy']['universal']:.4f}")
averages, bounds = result.extra["averages"], result.bounds.hashin_shtrikman
for name in ("K", "G"):
    low, high = (bounds[side][name] / 1e9 for side in ("lower", "upper"))
    print(f"{name} = {averages[f'{name}_hill'] / 1e9:.3f} GPa, bounds {low:.3f} to {high:.3f} GPa")

# ## Back down: the stress in every voxel
# A macroscopic strain of 1 % along z with the other strains held at zero. `localize` combines the solutions that are
# there already; nothing is solved again.

strain = np.array([0, 0, 0.01, 0, 0, 0])  # Mandel: xx, yy, zz, yz, xz, xy
fields = localize(result, strain)
peaks = flux_concentration(fields, composite)
print(f"macroscopic stress {peaks.reference / 1e6:.0f} MPa (norm)")
for phase, name in zip(peaks.phases, ("epoxy", "glass"), strict=True):
    print(
        f"{name}: mean {phase.mean:.2f}, 99 % below {phase.quantiles[0.99]:.2f}, largest {phase.maximum:.2f} times that"
    )
for spot in peaks.hot_spots[:3]:
    print(
        f"hot spot in phase {spot.label} at",
        ", ".join(f"{1e6 * x:.1f}" for x in spot.position),
        f"µm: {spot.factor:.2f}",
    )

# The peak of a voxel field at an interface grows slowly with resolution: quantiles converge, maxima do not. The mean of
# the local stress is the macroscopic stress, to first order in the error of the iteration:

mean = fields.flux.values.reshape(6, -1).mean(axis=1)
np.testing.assert_allclose(mean, result.value @ strain, atol=0.005 * np.abs(mean).max())
assert abs(averages["E_hill"] / 1e9 - 4.80) < 0.05, "Young's modulus of this composite has changed"

if __name__ == "__main__":
    from matplotlib import pyplot as plt

    layer = peaks.hot_spots[0].voxel[1]
    stress = fields.flux.values[2][:, layer, :] / 1e6
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    left.imshow(composite.labels[:, layer, :].T, origin="lower", extent=(0, 40, 0, 40), cmap="cividis")
    left.set(title="epoxy (dark) and glass", xlabel="x [µm]", ylabel="z [µm]")
    picture = right.imshow(stress.T, origin="lower", extent=(0, 40, 0, 40))
    right.set(title="stress zz under 1 % strain along z", xlabel="x [µm]")
    figure.colorbar(picture, ax=right, label="MPa")
    figure.savefig("composite_stiffness.png", dpi=110)
