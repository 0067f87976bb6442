"""The limit for large samples: how often its interval holds when the same samples were solved under every condition."""

import numpy as np
import pytest

from scalebridge.homogenize.representative.size_bias import fit_size_bias

SLOPES = {"kubc": 6.0, "periodic": -1.0, "subc": -9.0}
LIMIT, SIZES, COUNT = 5.0, (10, 20), 30


def _studies(common, number=400):
    """Samples whose scatter is shared by all conditions up to 1 - common."""
    rng = np.random.default_rng(7)
    for _ in range(number):
        rows = []
        for size in SIZES:
            shared = rng.normal(size=COUNT)
            for name, slope in SLOPES.items():
                own = np.sqrt(common) * shared + np.sqrt(1 - common) * rng.normal(size=COUNT)
                values = LIMIT + slope / size + 0.8 * (10 / size) ** 1.5 * own
                rows.append((size, name, values.mean(), values.std(ddof=1) / np.sqrt(COUNT)))
        yield rows


@pytest.mark.parametrize("common", [0.5, 0.97, 1.0])
def test_conditions_on_the_same_samples_do_not_count_as_more_samples(common):
    inside = 0
    for rows in _studies(common):
        found = fit_size_bias(rows)
        inside += abs(found.limit - LIMIT) <= 1.96 * found.limit_error
    assert 0.91 <= inside / 400 <= 1.0


def test_the_limit_of_one_condition_has_the_error_of_its_line():
    """mean(10) and mean(20) give 2 mean(20) - mean(10)."""
    found = fit_size_bias([(10, "kubc", 6.0, 0.3), (20, "kubc", 5.5, 0.1)])
    assert found.limit == pytest.approx(5.0)
    assert found.limit_error == pytest.approx(np.hypot(0.3, 2 * 0.1))
