"""The limit for large samples: how often its interval holds when the same samples were solved under every condition."""

import numpy as np
import pytest

from representative_studies import CONDITIONS, THERMAL, prescribed
from scalebridge.homogenize.representative import GeneratorEnsemble, RepresentativityProblem, SamplingMethod
from scalebridge.homogenize.representative.estimators import mean_estimate
from scalebridge.homogenize.representative.json_record import to_json
from scalebridge.homogenize.representative.requirements import CostModel, requirement
from scalebridge.homogenize.representative.scaling_law import fit_scaling_law
from scalebridge.homogenize.representative.size_bias import SizeBias, fit_size_bias
from scalebridge.homogenize.representative.verdict import judge
from scalebridge.homogenize.representative.words import needs_bias_words, number_words
from tiled_materials import Tiles

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


@pytest.mark.parametrize(("sizes", "count"), [((8, 16), 3), ((8, 16, 32), 5)])
def test_a_trend_in_few_samples_is_no_bias(sizes, count):
    """200 studies of a medium without any: about one in twenty may report one."""
    rng = np.random.default_rng(4)
    seen, inside = 0, 0
    for _ in range(200):
        values = {n: LIMIT + 8 / n * rng.normal(size=count) for n in sizes}
        squares = [float(v.var(ddof=1)) for v in values.values()]
        law = fit_scaling_law([float(n**2) for n in sizes], squares, [count] * len(sizes))
        error = {
            n: (values[n].std(ddof=1) if law is None else law.deviation(n**2)) / count**0.5 for n in sizes
        }
        rows = [(n, "periodic", float(values[n].mean()), error[n]) for n in sizes]
        found = fit_size_bias(rows, dict.fromkeys(sizes, count))
        seen += found.seen("periodic")
        inside += abs(found.limit - LIMIT) <= found.limit_reach
    assert seen <= 14  # 5 % of them, and two standard deviations of that number
    assert inside >= 184


def test_a_bias_beyond_its_interval_is_reported_and_one_within_is_not():
    source = GeneratorEnsemble(Tiles((8, 8), 4, periodic=True))
    problem = RepresentativityProblem(source, THERMAL, (8, 16, 32), CONDITIONS)
    clear = prescribed(problem, SamplingMethod(6), scatter=0.02)
    bias = clear.bias["mean conductivity"]
    assert bias.bias("kubc", 32) == pytest.approx(2 / 32, rel=0.05)
    assert bias.reference == bias.limit
    assert "limit for large samples" in str(clear)
    hidden = prescribed(problem, SamplingMethod(6), scatter=8.0)
    bias = hidden.bias["mean conductivity"]
    assert abs(bias.fitted("periodic", 32)) < bias.reach("periodic", 32)
    assert bias.bias("periodic", 32) == 0
    assert hidden.requirements["mean conductivity"].numbers[-1].bias == 0
    assert "not seen (±" in str(hidden)
    assert "no bias of this mean is seen" in " ".join(hidden.verdict.words)
    assert "no bias is seen; allowing for one" in str(hidden)
    told = to_json(hidden)["bias"]["mean conductivity"]
    assert told["relative"]["periodic"]["32"] is None
    assert told["half_width"]["periodic"]["32"] == bias.reach("periodic", 32)
    assert told["seen"] == {"subc": False, "periodic": False, "kubc": False}


def test_whether_a_large_trend_is_a_bias_is_left_open():
    """Neither a reason against a volume nor one for it."""
    part = {"k": mean_estimate(np.array([1.0, 1.01, 0.99, 1.0]))}
    for reach, expected in ((1.0, False), (9.0, None)):
        bias = SizeBias(1.0, 0.1, {"periodic": 3.0}, True, reaches={"periodic": reach}, mean=1.0)
        found = judge(32, "periodic", 0.05, 0.95, part, {"k": bias}, {"k": None}, None)
        assert found.representative is expected
    assert "cannot be told from chance (9.38 % ± 28.1 % at 95 %)" in found.words[1]


def test_samples_are_counted_with_the_distance_of_kinematic_and_static_means():
    """So few samples show no trend over the sizes, but in each of them both conditions lie apart."""
    rows = [(n, name, LIMIT + b / n, 0.4) for n in SIZES for name, b in (("kubc", 9.0), ("subc", -9.0))]
    bias = fit_size_bias(rows, dict.fromkeys(SIZES, 6))
    assert not bias.seen("kubc")
    assert bias.counted("kubc", 20) == pytest.approx(9 / 20 / bias.reference)
    law = fit_scaling_law([n**3.0 for n in SIZES], [1.0, 0.125], [6, 6], 40.0)
    need = requirement(0.05, 0.95, "kubc", SIZES, bias, law, CostModel(1e-6, 1.0, 3))
    assert [row.number for row in need.numbers] == [None, None], "no number of them is enough"
    assert number_words(need.numbers[0], 0.05) == "bias too large"
    assert needs_bias_words(bias, "kubc", need.numbers[1]) == "9 %"
    assert need.single_size is not None
    assert need.single_size >= 9 / 0.05 / bias.reference
    alone = fit_size_bias([row for row in rows if row[1] == "kubc"], dict.fromkeys(SIZES, 6))
    assert alone.counted("kubc", 20) == 0


def test_a_scatter_that_does_not_fall_is_told():
    """Over the conditions once, and as proof of long correlations only where chance cannot explain it."""
    source = GeneratorEnsemble(Tiles((8, 8), 4))
    problem = RepresentativityProblem(source, THERMAL, (16, 64), CONDITIONS)
    many = prescribed(problem, SamplingMethod(40), scatter=0.1, alpha=-0.3)
    assert many.scaling["mean conductivity"]["periodic"] is None
    (warning,) = [w for w in many.warnings if "does not fall" in w]
    assert "no representative volume exists at these sizes" in warning
    # Of the variance of two samples a factor of sixteen tells nothing.
    few = prescribed(problem, SamplingMethod(2), scatter=0.05, alpha=0.0)
    (warning,) = [w for w in few.warnings if "does not fall" in w]
    assert "no law can be fitted to so few samples" in warning
    falling = prescribed(problem, SamplingMethod(40), scatter=0.1)
    assert not any("does not fall" in w for w in falling.warnings)
