"""The statistics behind a representativity study, on numbers whose truth is known."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge.core.errors import InputError
from scalebridge.homogenize.representative.control_variates import controlled_mean
from scalebridge.homogenize.representative.estimators import isotropic_parts, mean_estimate
from scalebridge.homogenize.representative.hierarchy import harmonic_mean, hierarchy
from scalebridge.homogenize.representative.requirements import CostModel, fit_cost, requirement
from scalebridge.homogenize.representative.scaling_law import ScalingLaw, fit_scaling_law
from scalebridge.homogenize.representative.size_bias import SizeBias, fit_size_bias
from scalebridge.homogenize.representative.verdict import judge
from scalebridge.numerics.mandel import isotropic_stiffness, rotate_mandel4


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(3.0, 2.0, 9)
    found = mean_estimate(values, 0.9)
    low, high = scipy.stats.t.interval(0.9, 8, values.mean(), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert found.deviation == pytest.approx(values.std(ddof=1))


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(2000):
        found = mean_estimate(rng.normal(1.0, 0.3, 6))
        inside += found.low <= 1.0 <= found.high
    assert 0.93 < inside / 2000 < 0.97


def test_one_sample_has_a_mean_and_no_scatter():
    found = mean_estimate(np.array([2.0]))
    assert (found.mean, found.deviation, found.half_width) == (2.0, None, None)
    with pytest.raises(InputError, match="at least one"):
        mean_estimate(np.array([]))
    with pytest.raises(InputError, match="between 0 and 1"):
        mean_estimate(np.ones(3), confidence=95)


@pytest.mark.parametrize("d", [2, 3])
def test_isotropic_parts_are_moduli_and_do_not_turn(d):
    rng = np.random.default_rng(d)
    found = isotropic_parts(isotropic_stiffness(3.0, 0.7, d)[None], True)
    assert found["bulk modulus"][0] == pytest.approx(3.0, rel=1e-14)
    assert found["shear modulus"][0] == pytest.approx(0.7, rel=1e-14)
    m = d * (d + 1) // 2
    a = rng.normal(size=(m, m))
    stiffness = a @ a.T
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    q = q * np.sign(np.linalg.det(q)) if d == 3 else q @ np.diag([1, np.sign(np.linalg.det(q))])
    turned = rotate_mandel4(stiffness, q)
    for name, value in isotropic_parts(stiffness[None], True).items():
        assert isotropic_parts(turned[None], True)[name][0] == pytest.approx(value[0], rel=1e-12)
    assert isotropic_parts(np.diag([1.0, 2.0, 6.0])[None], False)["mean conductivity"][0] == 3.0


@pytest.mark.parametrize("alpha", [1.0, 0.6])
def test_the_scaling_law_is_recovered_with_honest_errors(alpha):
    rng = np.random.default_rng(5)
    volumes, count, point, length = np.array([20.0, 30.0, 45.0, 60.0]) ** 3, 20, 4.0, 70.0
    deviations, lengths = [], []
    for _ in range(300):
        true = point * (length / volumes) ** alpha
        sampled = true * rng.chisquare(count - 1, 4) / (count - 1)
        found = fit_scaling_law(volumes.tolist(), sampled.tolist(), [count] * 4, point)
        deviations.append((found.alpha - alpha) / found.alpha_deviation)
        lengths.append(np.log(found.integral_range / length))
    assert abs(np.mean(deviations)) < 0.25
    assert 0.7 < np.std(deviations) < 1.2
    assert abs(np.median(lengths)) < 0.4


def test_the_correction_for_few_samples_removes_the_bias_of_the_logarithm():
    rng = np.random.default_rng(6)
    found = [fit_scaling_law([1000.0], [rng.chisquare(3) / 3], [4]).intercept for _ in range(4000)]
    assert abs(np.mean(found) - np.log(1000.0)) < 0.06  # without it the mean is lower by 0.37


def test_sizes_too_small_for_the_law_are_left_out():
    volumes = [10.0, 100.0, 1000.0, 10000.0]
    found = fit_scaling_law(volumes, [0.9, 0.5, 0.05, 0.005], [50] * 4, point_variance=1.0)
    assert found.asymptotic
    assert found.alpha == pytest.approx(1.0, abs=1e-9)
    early = fit_scaling_law(volumes[:2], [0.9, 0.5], [5000] * 2, point_variance=1.0)
    assert not early.asymptotic
    assert not early.slower_than_integrable  # although alpha is far below one


def test_slow_decay_is_recognized_and_ordinary_decay_is_not():
    volumes = [1e3, 1e4, 1e5]
    slow = fit_scaling_law(volumes, [0.05 * (1e3 / v) ** 0.5 for v in volumes], [200] * 3, 1.0)
    fair = fit_scaling_law(volumes, [0.05 * (1e3 / v) for v in volumes], [200] * 3, 1.0)
    assert slow.slower_than_integrable
    assert not fair.slower_than_integrable


def test_scatter_that_does_not_fall_gives_no_law():
    assert fit_scaling_law([10.0, 100.0], [1.0, 1.2], [50, 50]) is None
    assert fit_scaling_law([10.0], [0.0], [8]) is None
    assert fit_scaling_law([10.0], [1.0], [1]) is None


def test_size_and_volume_are_inverse():
    law = ScalingLaw(np.log(5.0), 0.8, None, None, 2, True)
    assert law.deviation(law.volume_for(0.03)) == pytest.approx(0.03, rel=1e-12)
    with pytest.raises(InputError, match="positive"):
        law.volume_for(0.0)


def test_bias_is_told_from_the_limit():
    sizes, slopes, limit = [10, 20, 40], {"kubc": 6.0, "periodic": -1.0, "subc": -9.0}, 5.0
    rows = [(n, name, limit + b / n, 1e-3) for n in sizes for name, b in slopes.items()]
    found = fit_size_bias(rows)
    assert found.limit == pytest.approx(limit, rel=1e-9)
    assert found.slopes == pytest.approx(slopes)
    assert found.bias("kubc", 20) == pytest.approx(6 / 20 / 5)


def test_bias_with_one_size_is_half_the_spread_of_the_conditions():
    found = fit_size_bias([(10, "kubc", 6.0, 0.1), (10, "periodic", 5.2, 0.1), (10, "subc", 4.0, 0.1)])
    assert found.assessed
    assert found.limit == 5.0
    assert found.bias("kubc", 10) == pytest.approx(0.2)
    alone = fit_size_bias([(10, "periodic", 5.2, 0.1)])
    assert not alone.assessed
    assert alone.bias("periodic", 10) == 0


LAW = ScalingLaw(np.log(0.04 * 32**3), 1.0, None, None, 2, True)  # deviation 0.2 at 32 voxels


def test_requirements_leave_the_error_asked_for():
    bias = SizeBias(2.0, 0.01, {"periodic": 0.4}, True)
    found = requirement(0.02, 0.95, "periodic", [16, 32, 64], bias, LAW, CostModel(1e-5, 1.0, 3))
    z = scipy.stats.norm.ppf(0.975)
    by_size = {n.size: n for n in found.numbers}
    for size, row in by_size.items():
        scatter = LAW.deviation(size**3) / 2.0

        def error(number, size=size, scatter=scatter):
            return np.hypot(0.4 / size / 2.0, z * scatter / number**0.5)

        assert error(row.number) <= 0.02 * (1 + 1e-12)
        assert error(row.number - 1) > 0.02
    single = found.single_size
    scatter = [z * LAW.deviation(float(n) ** 3) / 2 for n in (single, single - 1)]
    assert np.hypot(0.2 / single, scatter[0]) <= 0.02 < np.hypot(0.2 / (single - 1), scatter[1])
    assert found.cheapest.seconds <= min(n.seconds for n in found.numbers if n.number)


def test_no_number_of_samples_removes_a_bias():
    bias = SizeBias(1.0, 0.01, {"kubc": 1.0}, True)
    found = requirement(0.02, 0.95, "kubc", [10, 100], bias, LAW, CostModel(1e-5, 1.0, 3))
    assert [n.number is None for n in found.numbers] == [True, False]
    assert found.single_size > 50
    unknown = requirement(0.02, 0.95, "kubc", [10], bias, None, CostModel(1e-5, 1.0, 3))
    assert (unknown.single_size, unknown.cheapest) == (None, None)
    with pytest.raises(InputError, match="one percent"):
        requirement(2.0, 0.95, "kubc", [10], bias, LAW, CostModel(1e-5, 1.0, 3))


def test_costs_follow_the_power_measured():
    found = fit_cost({16: 0.1, 32: 0.1 * 8**1.1, 64: 0.1 * 64**1.1}, 3)
    assert found.power == pytest.approx(1.1)
    assert found.seconds(32) == pytest.approx(0.1 * 8**1.1)


def _spd(rng, count, m):
    a = rng.normal(size=(count, m, m))
    return a @ np.swapaxes(a, 1, 2) + 0.1 * np.eye(m)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_harmonic_mean_is_the_limit_of_stiffened_samples(seed):
    rng = np.random.default_rng(seed)
    values = _spd(rng, 4, 3)
    direct = np.linalg.inv(np.linalg.inv(values).mean(axis=0))
    np.testing.assert_allclose(harmonic_mean(values), direct, rtol=1e-9)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    keep = np.eye(3) - np.outer(direction, direction)
    values[1] = keep @ values[1] @ keep  # void along one direction
    tiny = np.linalg.inv(np.linalg.inv(values + 1e-9 * np.eye(3)).mean(axis=0))
    np.testing.assert_allclose(harmonic_mean(values), tiny, atol=1e-6 * np.abs(values).max())
    assert np.linalg.norm(harmonic_mean(np.concatenate([values, np.zeros((1, 3, 3))]))) < 1e-12


def test_the_hierarchy_notices_a_wrong_order():
    values = _spd(np.random.default_rng(3), 5, 3)
    good = hierarchy({"subc": 0.8 * values, "periodic": values, "kubc": 1.1 * values})
    assert good.holds
    assert good.violation == 0
    assert good.gap > 0.3
    bad = values.copy()
    bad[2] *= 1.3
    found = hierarchy({"subc": 0.8 * values, "periodic": bad, "kubc": 1.1 * values})
    assert not found.holds
    assert hierarchy({"periodic": values}).gap is None


def _verdict(deviation, slope, gap=None, law=LAW):
    parts = {"mean conductivity": mean_estimate(2.0 + deviation * np.array([-1.0, 1.0, -1.0, 1.0, 0.0]))}
    bias = {"mean conductivity": SizeBias(2.0, 0.01, {"periodic": slope}, True)}
    return judge(32, "periodic", 0.05, 0.95, parts, bias, {"mean conductivity": law}, gap)


def test_verdicts_name_what_they_rest_on():
    assert _verdict(0.02, 0.1).representative is True
    assert _verdict(0.2, 0.1).name == "statistical volume element"
    assert _verdict(0.02, 10.0).representative is False
    assert _verdict(0.02, 0.1, gap=0.2).representative is False
    assert _verdict(0.02, 0.1, gap=0.01).representative is True
    slow = ScalingLaw(0.0, 0.4, np.diag([0.01, 0.01]), 1.0, 3, True)
    found = _verdict(0.02, 0.1, law=slow)
    assert found.representative is False
    assert "no representative volume exists" in " ".join(found.words)
    single = judge(
        8, "periodic", 0.05, 0.95, {"k": mean_estimate(np.array([1.0]))}, {"k": SizeBias(1.0, 0.1, {}, False)},
        {"k": None}, None,
    )  # fmt: skip
    assert single.representative is None
    assert "not known" in " ".join(single.words)


def _single(deviation, error, asymptotic=True):
    """The verdict on one sample of 64 voxels whose law says `deviation`, with the standard error of its logarithm."""
    intercept = 2 * np.log(deviation) + np.log(64.0**3)
    law = ScalingLaw(intercept, 1.0, np.diag([(2 * error) ** 2, 0.0]), 1.0, 2, asymptotic)
    bias = {"k": SizeBias(1.0, 0.01, {}, False)}
    part = {"k": mean_estimate(np.array([1.0]))}
    return judge(64, "periodic", 0.05, 0.95, part, bias, {"k": law}, None, 64.0**3)


def test_of_a_single_sample_the_law_of_smaller_ones_judges():
    z = scipy.stats.norm.ppf(0.975)
    small, large, between = _single(0.01, 0.1), _single(0.06, 0.2), _single(0.02, 0.3)
    assert [found.representative for found in (small, large, between)] == [True, False, None]
    reach, factor = 100 * z * 0.01, np.exp(z * 0.1)
    assert f"within {reach:.3g} % of their mean" in small.words[1]
    assert f"(95 % interval {reach / factor:.3g} % to {reach * factor:.3g} %)" in small.words[1]
    assert "does not tell on which side" in between.words[1]
    assert "too few independent pieces" in _single(0.01, 0.1, asymptotic=False).words[1]
    assert _single(0.01, 0.1, asymptotic=False).representative is None
    gone = _single(0.01, 0.1)
    assert "single sample" in gone.words[1]
    assert "%" not in gone.words[1].replace(" %", "")


def test_controls_take_away_what_they_explain_and_intervals_stay_true():
    rng = np.random.default_rng(11)
    inside, gain = 0, []
    for _ in range(1500):
        controls = rng.normal([0.3, 1.0], [0.1, 0.2], (15, 2))
        values = 2.0 + 3.0 * (controls[:, 0] - 0.3) - (controls[:, 1] - 1.0) + rng.normal(0, 0.05, 15)
        found = controlled_mean(values, controls, np.array([0.3, 1.0]))
        inside += found.estimate.low <= 2.0 <= found.estimate.high
        gain.append(found.plain.half_width / found.estimate.half_width)
    assert 0.935 < inside / 1500 < 0.965
    assert np.median(gain) > 4


def test_controls_that_say_nothing_are_left_out():
    values = np.random.default_rng(0).normal(size=10)
    constant = controlled_mean(values, np.full((10, 1), 0.4), np.array([0.4]))
    assert constant.estimate == constant.plain
    fractions = np.random.default_rng(1).uniform(size=(10, 1))
    both = controlled_mean(values, np.hstack([fractions, 1 - fractions]), np.array([0.5, 0.5]))
    one = controlled_mean(values, fractions, np.array([0.5]))
    assert both.estimate.mean == pytest.approx(one.estimate.mean, rel=1e-12)
    assert both.estimate.half_width == pytest.approx(one.estimate.half_width, rel=1e-9)
    with pytest.raises(InputError, match="shape"):
        controlled_mean(values, np.ones((9, 1)), np.array([1.0]))
    with pytest.raises(InputError, match="at least"):
        controlled_mean(values[:3], np.random.default_rng(2).uniform(size=(3, 2)), np.array([0.5, 0.5]))
