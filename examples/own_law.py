r"""A law of your own: an energy, or an update of the stress, written as a plain function of one point.

Tangents come from differentiation and batches from vectorization; nothing else has to be written. The first law is an
energy W(eps), the second has a history: a Maxwell element, whose stress relaxes in the time t_r.
"""

import jax.numpy as jnp
import numpy as np

from scalebridge.material import SMALL_STRAIN
from scalebridge.material.laws import EnergyLaw, UpdateLaw


def stiffening(strain, parameters):
    """W = G eps:eps + B (eps:eps)^2 / 4."""
    square = jnp.sum(strain**2)
    return parameters["G"] * square + parameters["B"] * square**2 / 4


def relaxing(state, strain, dt, parameters):
    """stress' = 2 G strain' - stress / t_r, backward Euler."""
    stress = state["stress"] + 2 * parameters["G"] * (strain - state["strain"])
    stress = stress / (1 + dt / parameters["t_r"])
    return stress, {"stress": stress, "strain": strain}


energy_law = EnergyLaw(stiffening, {"G": 1e9, "B": 1e12}, SMALL_STRAIN)
strains = np.array([[0.01, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.02]])
response = energy_law.respond(energy_law.initial_state(2), strains)
print("stress xx", response.flux[0, 0], "  tangent", response.tangent[0, 0, 0])

at_rest = {"stress": np.zeros(6), "strain": np.zeros(6)}
update_law = UpdateLaw(relaxing, {"G": 1e9, "t_r": 10.0}, SMALL_STRAIN, at_rest)
state = update_law.initial_state(2)
for step in range(4):
    response = update_law.respond(state, strains, dt=5.0)
    state = response.state
    print("time", 5 * (step + 1), " stress xx", response.flux[0, 0])

np.testing.assert_allclose(response.flux[0, 0], 2e9 * 0.01 / 1.5**4)
