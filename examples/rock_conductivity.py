r"""How well does a rock conduct, and how sure is that?

The conductivity k* of a sample is defined by the cell problem: find the potential u with

    div q = 0,    q = -k(x) grad u,    <grad u> = E,    then    <q> = -k* E.

k* depends on what is assumed where the sample ends. For one sample, in the sense of quadratic forms,

    Reuss <= uniform flux (SUBC) <= periodic <= linear potential (KUBC) <= Voigt,

and the gap closes as the sample grows: it measures how representative the sample is. For electric current only the
brine in the pores conducts; then one quotes the formation factor F = k_brine / k* and the tortuosity tau = F phi.
"""

import numpy as np

from scalebridge import (
    Conduction,
    KinematicUniform,
    OppositeFaces,
    StaticUniform,
    generate,
    homogenize,
    quantity,
)

# ## The sample
# A real one comes from a file: `read_image("rock.tif", spacing="5.345 um", threshold=[90])`. Here a level cut of a
# random field stands for a sandstone with 30 % of pores (label 0) between grains of quartz (label 1).

rock = generate.gaussian_level_cut((48, 48, 48), 0.30, correlation_length=5.0, seed=3, spacing="5 um")
print(rock)

# ## Heat: both phases conduct
# Properties may carry a unit and a standard deviation. `conditions` asks for the same tensor under other boundary
# conditions; their distance becomes the boundary term of the budget.

water = Conduction.isotropic(quantity("0.60 W/(m K)"))
quartz = Conduction.isotropic(quantity("7.7 +- 0.3 W/(m K)"))
heat = homogenize(
    rock, {0: water, 1: quartz}, accuracy=0.05, conditions=(KinematicUniform(), StaticUniform())
)
print(heat)

# Read the budget from the longest bar: that term decides, and the last line says what to do about it. What is "not
# assessed" is not zero. The derivatives come for nothing from the local energies: here the quartz matters far more than
# the water.

for s in heat.sensitivities:
    slope = np.trace(s.derivative) / 3
    print(
        f"1 % more {s.parameter} in phase {s.label}: {slope * s.value / (np.trace(heat.value) / 3):.2f} % more k*"
    )

# The three conditions in their order:

for name, condition in (("SUBC", StaticUniform()), ("KUBC", KinematicUniform())):
    other = homogenize(rock, {0: water, 1: quartz}, boundary=condition, accuracy=0.05)
    print(f"{name}: mean conductivity {np.trace(other.value) / 3:.3f} W/(m K)")

# ## Electric current: the grains are insulators
# A conductivity of zero is exact, not a small number. `OppositeFaces` is the laboratory: two faces held at different
# potentials, no flux through the sides.

brine = Conduction.isotropic(quantity("5 S/m"))
pores = {0: brine, 1: Conduction.void()}
current = homogenize(rock, pores, accuracy=0.05)
plug = homogenize(rock, pores, boundary=OppositeFaces(axis=0), accuracy=0.05)
print(f"periodic:      F = {current.extra['formation_factor'][0]:.1f}, error {current.error.total:.0%}")
print(f"between faces: F = {plug.extra['formation_factor']:.1f}, error {plug.error.total:.0%}")
print("next:", current.error.next_step)

# The sample is small and its throats are a few voxels wide: the budget says so instead of giving three digits. No
# isotropic pore space has a tortuosity below the Hashin-Shtrikman bound (3 - phi) / 2.

porosity = rock.fractions[0]
tortuosity = float(np.mean(current.extra["tortuosity"]))
print(f"tortuosity {tortuosity:.2f}, at least {(3 - porosity) / 2:.2f}")
assert tortuosity > (3 - porosity) / 2
assert abs(np.trace(heat.value) / 3 - 4.70) < 0.05, "the conductivity of this sample has changed"

if __name__ == "__main__":
    from matplotlib import pyplot as plt

    flux = current.fields[0].flux  # of a unit gradient along x
    speed = np.linalg.norm(flux.values[:, :, :, 24], axis=0)
    edges = (0, rock.grid.lengths[0] * 1e6, 0, rock.grid.lengths[1] * 1e6)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    left.imshow(rock.labels[:, :, 24].T, origin="lower", extent=edges, cmap="cividis")
    left.set(title="pores (dark) and quartz", xlabel="x [µm]", ylabel="y [µm]")
    shown = np.ma.masked_equal(speed.T, 0)
    picture = right.imshow(shown, origin="lower", extent=edges, vmax=np.quantile(speed, 0.995))
    right.set(title="electric current, unit gradient along x", xlabel="x [µm]")
    figure.colorbar(picture, ax=right, label="|q| [A/m²]")
    figure.savefig("rock_conductivity.png", dpi=110)
