"""The statistical term: windows, their scatter, and what it says about the whole image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cli_support import TWO_PHASES, run
from homogenize_cases import k, solid, strict_record
from scalebridge import Conduction, Subvolumes, estimate, homogenize
from scalebridge.cell.boundary import (
    AbstractBoundary,
    KinematicUniform,
    OppositeFaces,
    Periodic,
    StaticUniform,
)
from scalebridge.cell.problem import PreconditionedConjugateGradients
from scalebridge.core.checkpoint import DirectoryStore, NullStore
from scalebridge.core.errors import InputError
from scalebridge.core.progress import SilentProgress
from scalebridge.core.status import Status
from scalebridge.grid import PhaseImage
from scalebridge.homogenize.budget import statistical_term
from scalebridge.homogenize.cells import solve_phases
from scalebridge.homogenize.phases import collect_phases
from scalebridge.homogenize.representative.samples import ImageWindows
from scalebridge.homogenize.representative.scaling_law import fit_scaling_law
from scalebridge.homogenize.result import ErrorBudget, ErrorTerm
from scalebridge.homogenize.sample_scatter import (
    EXPONENT,
    LEAST,
    SampleScatter,
    effective_components,
    extrapolate,
    finite_size_corrections,
    measured_exponent,
)
from scalebridge.homogenize.statistical_error import (
    _correlations,
    judge_windows,
    larger_volume,
    statistical_error,
    window_condition,
)
from scalebridge.homogenize.subvolumes import WindowPlan, plan_windows
from scalebridge.homogenize.validity import transport
from scalebridge.microstructure.generators.covariances import PowerLaw
from scalebridge.microstructure.generators.gaussian_field import GaussianLevelCut
from scalebridge.microstructure.generators.voronoi_mosaic import VoronoiMosaic
from test_homogenize_resume import Interrupted
from tiled_materials import draw, image_of

LAWS = {0: k(1.0), 1: k(10.0)}
PLAN = WindowPlan(1, (24, 16, 12), (8, 27, 64))


def of_windows(image: PhaseImage, laws=LAWS, boundary=None, sizes=(12, 8), turned=None, store=None):
    """Only the windows, without the image."""
    boundary = boundary or Periodic()
    phases = collect_phases(image, laws, None, turned)
    return statistical_error(
        phases, boundary, transport(phases, boundary), Subvolumes(sizes), 0.01, SilentProgress(), store or NullStore()
    )  # fmt: skip


# Which windows


@pytest.mark.parametrize(
    ("shape", "cell", "words"),
    [
        ((48, 48, 48), 216.0, "8 windows of 24, 27 of 16 and 64 of 12 voxels per edge"),
        ((96, 96, 96), 216.0, "8 windows of 48, 64 of 24 and 64 of 12 voxels per edge"),
        ((200, 64, 64), 64.0, "24 windows of 32, 64 of 16 and 64 of 8 voxels per edge"),
        ((128, 128, 128), 1000.0, "8 windows of 64, 64 of 32 and 64 of 16 voxels per edge, solved on the image "
         "coarsened by 2"),
    ],
)  # fmt: skip
def test_windows_are_chosen_by_the_image(shape: tuple[int, ...], cell: float, words: str) -> None:
    image = VoronoiMosaic(shape, cell, periodic=False).realize(1).image
    plan = plan_windows(image, Subvolumes())
    assert plan.words == words
    assert all(2 <= count <= 64 for count in plan.counts)


def test_windows_that_cannot_be_cut_are_named() -> None:
    small = draw((20, 20, 20))
    assert plan_windows(small, Subvolumes()).sizes == ()
    assert plan_windows(small, Subvolumes((6, 10))).sizes == (10, 6)
    with pytest.raises(InputError, match="16 voxels per edge"):
        plan_windows(small, Subvolumes((16, 8)))
    with pytest.raises(InputError, match="at least two sizes"):
        Subvolumes((8,))
    with pytest.raises(InputError, match="most = 1"):
        Subvolumes(most=1)


# From the scatter of windows to that of one sample


def symmetric(rng: np.random.Generator, count: int, deviation: float) -> np.ndarray:
    a = rng.normal(0.0, deviation, (count, 2, 2))
    return np.eye(2) + (a + np.swapaxes(a, 1, 2)) / 2


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(600):
        values = [
            symmetric(rng, n, 0.02 * v**-0.5).reshape(n, -1)
            for v, n in ((1 / 8, 8), (1 / 27, 27), (1 / 64, 64))
        ]
        found = judge_windows(
            values, [1 / 8 * 64**3, 1 / 27 * 64**3, 1.0 * 16**3], (64,) * 3, PLAN, "periodic", [1.0] * 3, None, "", None
        )  # fmt: skip
        (whole,) = symmetric(rng, 1, 0.02)
        inside.append(np.linalg.norm(whole - np.eye(2)) / np.sqrt(2) <= found.term.value)
    assert 0.94 <= np.mean(inside) <= 0.995


def test_components_are_counted_without_bias() -> None:
    rng = np.random.default_rng(1)
    for weights in ([1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 0.5, 0.1, 0.0]):
        truth = np.sum(weights) ** 2 / np.sum(np.square(weights))
        found = []
        for _ in range(300):
            samples = rng.normal(size=(20, 4)) * np.sqrt(weights)
            found.append(effective_components([np.cov(samples.T)], [20]))
        assert np.median(found) == pytest.approx(truth, rel=0.1)


def test_small_windows_scatter_less_than_the_law_and_are_corrected() -> None:
    """Sums of independent unit cells: no correction but for the mean of the image; f < 1 asks for more."""
    assert finite_size_corrections([8.0, 1.0], 64.0, [1.0, 1.0], 1.0) == pytest.approx([1.0, 1.0])
    low = finite_size_corrections([8.0, 1.0], 64.0, [0.7, 0.5], 0.9)
    assert low == pytest.approx([(8 * 0.7 - 0.9) / 7, (64 * 0.5 - 0.9) / 63])
    assert min(finite_size_corrections([8.0], 64.0, [0.01], 1.0)) == LEAST


@pytest.mark.parametrize("periodic", [True, False])
def test_the_corrected_scatter_of_a_fraction_is_that_of_the_integral_range(periodic: bool) -> None:
    """Mosaic in the plane: window means of the fraction, brought to the law, give A = 1.28 cell areas."""
    cell, edges = 25.0, (30, 20, 12)
    found = []
    for seed in range(12):
        labels = VoronoiMosaic((120, 120), cell, periodic=periodic).realize(seed).image
        _, corrections = _correlations(labels, periodic, edges)
        for n, c in zip(edges, corrections, strict=True):
            means = [np.mean(m.labels) for m in ImageWindows(labels).makers(n, None)]
            found.append(np.var(means, ddof=1) / c * n**2 / 0.25 / cell)
    by_size = np.array(found).reshape(12, 3).mean(axis=0)
    np.testing.assert_allclose(by_size, 1.28, rtol=0.25)


def test_a_vague_exponent_is_held_at_one_and_a_sure_one_is_kept() -> None:
    volumes, variances = [1e3, 4e3], [5.0 * v**-0.5 for v in (1e3, 4e3)]
    vague = fit_scaling_law(volumes, variances, [8, 8], 1.0, EXPONENT)
    assert extrapolate(vague, 1e5, 1.0).exponent == pytest.approx(1.0, abs=0.05)
    sure = fit_scaling_law(volumes, variances, [100_000] * 2, 1.0, EXPONENT)
    found = extrapolate(sure, 1e5, 1.0)
    assert found.exponent == pytest.approx(0.5, abs=1e-2)
    assert found.variance == pytest.approx(5.0 * 1e5**-0.5, rel=0.05)
    assert extrapolate(vague, 1e5, 1.0).freedom < 20 < 100 < found.freedom
    for law in (vague, sure):  # what the windows alone say, whatever was known before
        assert measured_exponent(law)[0] == pytest.approx(0.5, abs=1e-9)
    alone = fit_scaling_law(volumes, variances, [8, 8], 1.0)
    assert measured_exponent(vague)[1] == pytest.approx(alone.alpha_deviation, rel=1e-9)


def test_windows_whose_scatter_grows_by_chance_are_carried_all_the_same() -> None:
    """With nine and sixteen windows that happens to one image in five."""
    assert fit_scaling_law([256.0, 144.0], [1e-3, 0.9e-3], [9, 16], None) is None
    law = fit_scaling_law([256.0, 144.0], [1e-3, 0.9e-3], [9, 16], None, EXPONENT)
    assert law is not None
    assert law.alpha > 0.9


def test_with_everything_known_the_interval_is_that_of_the_normal_distribution() -> None:
    assert SampleScatter(0.01**2, 1.0, 0.0, 1e9, 1.0).half_width == pytest.approx(0.0196, rel=1e-3)
    law = fit_scaling_law([1e3, 1e4, 1e5], [1e-2, 1e-3, 1e-4], [100_000] * 3, None, EXPONENT)
    assert extrapolate(law, 1e6, 1.0).half_width == pytest.approx(1.96 * 10**-2.5, rel=0.01)


def windows(rng: np.random.Generator, alpha: float, counts: tuple[int, ...], sizes: tuple[int, ...]) -> list:
    return [
        1.0 + 0.1 * (8 / n) ** (1.5 * alpha) * rng.normal(size=(c, 1))
        for n, c in zip(sizes, counts, strict=True)
    ]


def judged(values: list, sizes: tuple[int, ...], point: float | None, far: str = ""):
    plan = WindowPlan(1, sizes, tuple(len(v) for v in values))
    return judge_windows(
        values,
        [float(n**3) for n in sizes],
        (128,) * 3,
        plan,
        "periodic",
        [1.0] * len(sizes),
        point,
        far,
        None,
    )


def test_long_range_correlation_leaves_no_term_but_a_warning() -> None:
    rng, sizes = np.random.default_rng(2), (32, 16, 8)
    slow = judged(windows(rng, 0.35, (64, 64, 64), sizes), sizes, 1.0)
    assert slow.term.value is None
    assert slow.term.asked
    assert "No representative volume exists at this size" in slow.warnings[0]
    assert slow.record["deviation"] is None
    fair = judged(windows(rng, 1.0, (64, 64, 64), sizes), sizes, 1.0)
    assert fair.term.value is not None
    assert fair.warnings == ()
    seen = judged(windows(rng, 1.0, (64, 64, 64), sizes), sizes, 1.0, "Phase 0: no end in sight.")
    assert seen.term.value is None
    assert seen.warnings == ("Phase 0: no end in sight.",)


def test_windows_that_say_nothing_leave_the_term_open() -> None:
    rng, sizes = np.random.default_rng(3), (32, 16)
    same = judged([np.ones((8, 1)), np.ones((64, 1))], sizes, 1.0)
    assert same.term.value == 0.0
    nothing = judged([np.zeros((8, 1)), np.zeros((64, 1))], sizes, 1.0)
    assert nothing.term.value is None
    half = judged([np.ones((8, 1)) + 0.1 * rng.normal(size=(8, 1)), np.zeros((64, 1))], sizes, 1.0)
    assert half.term.value is None
    grain = judged(windows(rng, 1.0, (8, 64), sizes), sizes, 1e-3)
    assert grain.term.value is None
    assert "too few independent pieces" in grain.term.how
    assert not grain.warnings


def test_the_next_step_names_a_volume() -> None:
    words = larger_volume(0.06, (70, 70, 70), 1.0, 0.06)
    assert "120 × 120 × 120 voxels" in words
    assert "3 %" in words
    assert "4 images" in words
    assert "280 × 140 voxels" in larger_volume(
        0.02, (140, 70), 1.0, 0.1
    )  # half of itself: already good enough


def test_a_term_that_was_asked_for_and_is_missing_leaves_the_accuracy_open() -> None:
    known = (ErrorTerm("algebraic", 1e-5), ErrorTerm("discretization", 1e-3))
    assert ErrorBudget((*known, statistical_term()), 0.01).met is True
    asked = ErrorBudget((*known, statistical_term(None, "Not assessed: too few.", asked=True)), 0.01)
    assert asked.met is False
    assert "statistical error was not assessed" in asked.reservation
    large = ErrorBudget((*known, statistical_term(0.2, "How.", "Use a larger volume.")), 0.01)
    assert large.met is False
    assert large.next_step == "Use a larger volume."
    assert "one sample of the material" in large.reservation
    assert ErrorBudget((*known, statistical_term(0.005, "How.", "Larger.")), 0.01).reservation == ""


# On images


@pytest.fixture(scope="module")
def tiles() -> PhaseImage:
    return draw((48, 48), seed=3)


def test_the_term_enters_the_total_and_changes_nothing_else(tiles: PhaseImage) -> None:
    alone = homogenize(tiles, LAWS, accuracy=0.5)
    result = homogenize(tiles, LAWS, accuracy=0.5, subvolumes=Subvolumes())
    np.testing.assert_array_equal(alone.value, result.value)
    term = result.error["statistical"].value
    assert term is not None
    assert 0.005 < term < 0.2
    assert result.error.total == pytest.approx(alone.error.total + term, rel=1e-12)
    assert (result.status, result.error.met) == (Status.CONVERGED, True)
    record = strict_record(result)
    assert record["error"]["statistical"] == term  # type: ignore[index]
    assert record["subvolumes"]["numbers"] == [9, 16, 36]  # type: ignore[index]
    assert "9 windows of 16" in result.error["statistical"].how
    assert "statistical" in str(result)
    assert record["provenance"]["settings"]["subvolumes"]  # type: ignore[index]


def test_one_sample_that_says_too_little_prevents_the_accuracy(tiles: PhaseImage) -> None:
    result = homogenize(tiles, {0: k(1.0), 1: k(1.3)}, accuracy=0.005, subvolumes=Subvolumes())
    term = result.error["statistical"]
    assert term.value is not None
    assert term.value > 0.005
    assert (result.status, result.status.exit_code, result.error.met) == (Status.ACCURACY_NOT_MET, 3, False)
    assert any("No solver can meet the accuracy" in words for words in result.warnings)
    if result.error.largest is term:
        assert "voxels would give" in result.error.next_step


@pytest.mark.parametrize(
    ("boundary", "name"),
    [(KinematicUniform(), "kubc"), (StaticUniform(), "subc"), (OppositeFaces(1), "periodic")],
)
def test_every_condition_has_windows(tiles: PhaseImage, boundary: AbstractBoundary, name: str) -> None:
    found = of_windows(tiles, LAWS, boundary, sizes=(16, 12))
    assert found.term.value is not None
    assert found.record["condition"] == name


def test_between_faces_the_term_enters_too(tiles: PhaseImage) -> None:
    result = homogenize(tiles, LAWS, boundary=OppositeFaces(0), subvolumes=Subvolumes((16, 12)))
    assert result.error["statistical"].value == of_windows(tiles, LAWS, OppositeFaces(0), (16, 12)).term.value
    assert result.extra["subvolumes"]["sizes"] == [16, 12]


def test_uniform_fluxes_cannot_be_applied_to_void() -> None:
    phases = collect_phases(draw((48, 48), seed=1), {0: k(0.0), 1: k(1.0)}, None, None)
    assert window_condition(phases, StaticUniform()) == Periodic()
    assert window_condition(phases, KinematicUniform()) == KinematicUniform()


def test_stiffness_scatters_too() -> None:
    found = of_windows(draw((32, 32), seed=2), {0: solid(1.0), 1: solid(5.0)})
    assert found.term.value is not None
    assert 0.01 < found.term.value < 0.5


def test_windows_keep_the_axes_of_their_grains() -> None:
    """Grains whose axes turn from tile to tile: windows see the rotations of their own place."""
    shape = (24, 24)
    angle = np.kron(np.random.default_rng(4).uniform(0, np.pi, (12, 12)), np.ones((2, 2)))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    law = {0: Conduction.anisotropic(np.diag([1.0, 8.0]))}
    found = of_windows(image_of(np.zeros(shape)), law, sizes=(8, 6), turned={0: turned})
    assert found.term.value is not None
    corner = homogenize(
        image_of(np.zeros((8, 8))), law, orientations={0: np.ascontiguousarray(turned[:, :, :8, :8])}, residual=1e-6
    )  # fmt: skip
    rows = []
    for i in range(3):
        for j in range(3):
            part = (slice(8 * i, 8 * i + 8), slice(8 * j, 8 * j + 8))
            cut = {0: np.ascontiguousarray(turned[(slice(None), slice(None), *part)])}
            rows.append(homogenize(image_of(np.zeros((8, 8))), law, orientations=cut, residual=1e-6).value)
    np.testing.assert_allclose(rows[0], corner.value, rtol=1e-9)
    flat = np.stack(rows).reshape(9, -1)
    scatter = np.sqrt(flat.var(axis=0, ddof=1).sum()) / np.linalg.norm(flat.mean(axis=0))
    assert found.record["scatter"][0] == pytest.approx(scatter, rel=0.01)


def test_homogeneous_and_unconnected_images_are_no_samples() -> None:
    whole = homogenize(image_of(np.zeros((8, 8))), {0: k(2.0)}, subvolumes=Subvolumes())
    assert whole.error["statistical"].value == 0.0
    labels = np.zeros((24, 24), np.uint8)
    labels[4:8, 4:8] = 1
    island = homogenize(image_of(labels), {0: k(0.0), 1: k(1.0)}, subvolumes=Subvolumes())
    assert island.error["statistical"].value is None
    assert island.error.met  # exactly zero on this image, as without sub-volumes


def test_an_image_too_small_is_told_so() -> None:
    result = homogenize(draw((12, 12)), LAWS, accuracy=0.9, subvolumes=Subvolumes())
    assert result.error["statistical"].value is None
    assert result.error.met is False
    assert "statistical error was not assessed" in " ".join(result.warnings)
    assert "without the statistical error" in str(result)


def test_correlations_over_the_image_are_recognized() -> None:
    columns = np.broadcast_to(np.random.default_rng(0).integers(0, 2, (1, 48)), (48, 48))
    found = of_windows(image_of(columns), sizes=(16, 12))
    assert found.term.value is None
    assert found.term.asked
    assert "No representative volume exists at this size" in found.warnings[0]
    medium = GaussianLevelCut((256, 256), 0.5, PowerLaw(2.0, 0.8), periodic=True)
    words = [_correlations(medium.realize(seed).image, True, (64, 32))[0] for seed in range(4)]
    assert sum("No representative volume" in one for one in words) >= 2
    short = VoronoiMosaic((128, 128), 36.0, periodic=False)
    assert not any(_correlations(short.realize(seed).image, False, (32, 16))[0] for seed in range(6))


def test_a_killed_run_does_not_solve_its_windows_again(tiles: PhaseImage, tmp_path: Path) -> None:
    whole = of_windows(tiles, sizes=(16, 12))
    with pytest.raises(KeyboardInterrupt):
        of_windows(tiles, sizes=(16, 12), store=Interrupted(DirectoryStore(tmp_path), 11))
    store = DirectoryStore(tmp_path)
    resumed = of_windows(tiles, sizes=(16, 12), store=store)
    assert len(store.restored) == 11
    assert all("window of" in key for key in store.restored)
    assert resumed.term == whole.term


def test_the_term_covers_the_distance_to_the_ensemble() -> None:
    """Mosaics of 64 x 64 pixels, cells of 4 x 4: twenty samples, each judged from itself alone."""
    medium = VoronoiMosaic((64, 64), 16.0, periodic=True)
    values, claimed = [], []
    for seed in range(20):
        image = medium.realize(seed).image
        phases = collect_phases(image, LAWS, None, None)
        method = PreconditionedConjugateGradients(None, 1e-3)
        solved = solve_phases(phases, Periodic(), method, SilentProgress(), NullStore(), "image")
        values.append(solved.effective.value)
        claimed.append(of_windows(image, sizes=(21, 16, 10)).term.value)
    mean = np.mean(values, axis=0)
    true = np.array([np.linalg.norm(v - mean) for v in values]) / np.linalg.norm(mean)
    known = np.array([c is not None for c in claimed])
    assert known.sum() >= 17
    ratios = np.array([c for c in claimed if c is not None]) / true[known]
    assert np.mean(ratios >= 1) >= 0.85
    assert np.median(ratios) < 8


# The command and the study file


def test_the_command_gives_a_number(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("tiles.npy", draw((48, 48), seed=3).labels)
    words = ("homogenize", "tiles.npy", *TWO_PHASES, "--subvolumes", "16,12")
    code, out, _ = run(capsys, *words, "--json")
    record = json.loads(out)
    assert code == 0
    assert isinstance(record["error"]["statistical"], float)
    assert record["subvolumes"]["sizes"] == [16, 12]
    code, out, _ = run(capsys, *words, "--json", "--accuracy", "0.001")
    assert code == 3
    assert any("one sample of the material" in words for words in json.loads(out)["warnings"])
    code, out, _ = run(capsys, *words, "--output", "out")
    assert code == 0
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "9 windows of 16 and 16 of 12 voxels per edge" in page
    assert "subvolumes = [16, 12]" in (tmp_path / "out" / "study.toml").read_text("utf-8")


def test_the_plan_says_what_windows_cost(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    image = draw((48, 48), seed=3)
    np.save("tiles.npy", image.labels)
    code, out, _ = run(capsys, "homogenize", "tiles.npy", *TWO_PHASES, "--subvolumes", "auto", "--dry-run")
    assert code == 0
    assert "9 windows of 16, 16 of 12 and 36 of 8 voxels per edge" in " ".join(out.split())
    windows = plan_windows(image, Subvolumes())
    assert estimate(image, LAWS, windows=windows).seconds > estimate(image, LAWS).seconds + 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("many", "auto"),
        ("16", "two to eight"),
        ("40,16", "fewer than two"),
        ("8,x", "whole number"),
        ("0,0", "two to eight"),
    ],
)
def test_windows_that_cannot_be_are_bad_input(
    given: str, expected: str, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("tiles.npy", draw((48, 48), seed=3).labels)
    code, _, err = run(capsys, "homogenize", "tiles.npy", *TWO_PHASES, "--subvolumes", given)
    assert code == 2
    assert expected in err
    assert "Traceback" not in err
