"""How a representativity study shows itself: text, notebook, page, pictures, and the material behind it."""

from __future__ import annotations

import csv
import io
import itertools
import re

import numpy as np
import pytest
import scipy.stats
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose

from html_pages import Page, assert_complete
from representative_studies import STUDIES, THERMAL, elasticity_3d, prescribed, tiled_image
from scalebridge.core.errors import OutputError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.grid.palette import phase_colour
from scalebridge.homogenize.representative import (
    GeneratorEnsemble,
    ImageWindows,
    RepresentativityProblem,
    SamplingMethod,
    representativity,
)
from scalebridge.homogenize.representative.advice import next_step
from scalebridge.homogenize.representative.exporters import to_csv, to_latex
from scalebridge.homogenize.representative.sketch import condition_colour, convergence_sketch
from scalebridge.homogenize.representative.words import duration, signed_percent, with_error
from scalebridge.report import figures
from scalebridge.report.figures.representative import law_band
from scalebridge.report.material import material_statistics, middle
from scalebridge.report.representative import render, write_report
from tiled_materials import ALL, ALONE, LAWS, Tiles


@pytest.fixture(scope="module")
def studies():
    return {name: make() for name, make in STUDIES.items()}


@pytest.fixture(scope="module")
def pages(studies):
    return {name: render(study) for name, study in studies.items()}


def words_of(page: str) -> str:
    return " ".join(" ".join(Page(page).words).split())


# Text and notebook ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUDIES)
def test_the_text_is_narrow_and_complete(studies, name):
    study = studies[name]
    text = str(study)
    assert max(map(len, text.splitlines())) <= 100
    assert not re.search(r"\bnan\b|\binf\b|None", text, re.IGNORECASE)
    assert repr(study) == text
    flat = " ".join(text.split())
    for line in (*study.verdict.words, *study.warnings, next_step(study)):
        assert " ".join(line.split()) in flat
    for part in study.requirements:
        assert part in text
    assert study.verdict.name in text.lower()


def test_the_text_says_the_numbers_of_the_study(studies):
    study = studies["conduction 3-D"]
    lines = str(study).splitlines()
    values = np.array([s.values[:, 0, 0] for s in study.statistics if s.size == 16])
    half = scipy.stats.t.ppf(0.975, 7) * values.std(axis=1, ddof=1) / np.sqrt(8)
    row = next(line for line in lines if re.match(r"\s+16\s+8\s", line))
    for condition, mean, reach, deviation in zip(
        [c.name for c in study.problem.conditions],
        values.mean(axis=1),
        half,
        values.std(axis=1, ddof=1),
        strict=True,
    ):
        cell = f"{mean:.2f} ± {reach:.2f} ({100 * deviation / mean:.2g} %)"
        assert cell in row, condition
    head = next(line for line in lines if "voxels  samples" in line)
    assert head.index("SUBC") < head.index("periodic") < head.index("KUBC")
    need = study.requirements["mean conductivity"].numbers[-1]
    assert any(
        re.match(rf"\s+32\s.*\s{need.number}\s+{re.escape(duration(need.seconds))}$", line) for line in lines
    )
    law = study.scaling["mean conductivity"]["periodic"]
    assert f"{law.alpha:.2f} ± {law.alpha_deviation:.2f}" in str(study)
    single = study.requirements["mean conductivity"].single_size
    assert f"one sample: {single} voxels per edge ({2 * single} µm)" in str(study)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conduction 3-D", "Average 16 samples of 32 voxels per edge"),
        ("elasticity 3-D", "known within 5 %: use it"),
        ("conduction 2-D", "One sample of 128 voxels per edge is enough"),
        ("one sample", "Solve at least 5 samples per size"),
        ("one sample", "Add a second size or condition"),
        ("long range", "Do not look for a larger sample"),
        ("polycrystal", "because of their bias"),
        ("void", "Check the laws"),
    ],
)
def test_the_next_step_follows_from_the_numbers(studies, name, expected):
    assert expected in next_step(studies[name])


def test_a_bias_that_drowns_in_scatter_asks_for_more_samples():
    source = GeneratorEnsemble(Tiles((8, 8, 8), 4))
    problem = RepresentativityProblem(source, THERMAL, (8, 12), ALL[1:])
    step = next_step(prescribed(problem, SamplingMethod(3), scatter=30.0))
    assert step.startswith("Take more samples of every size first")
    assert "because of their bias" in next_step(prescribed(problem, SamplingMethod(3), scatter=0.1))


@pytest.mark.parametrize("name", STUDIES)
def test_the_notebook_shows_a_picture_per_scalar(studies, name):
    study = studies[name]
    shown = study._repr_html_()
    page = Page(shown)
    assert shown.count("<svg") == len(study.requirements)
    assert not re.search(r"\b(nan|NaN|inf|None)\b", shown)
    assert page.loaded == []


def test_the_sketch_has_the_means_in_their_places(studies):
    sketch = convergence_sketch(studies["conduction 3-D"], "mean conductivity")
    lines = [
        [tuple(map(float, pair.split(","))) for pair in points.split()]
        for points in re.findall(r'<polyline points="([^"]+)"', sketch)
    ]
    soft, middle_, stiff = (np.array(line) for line in lines)
    assert np.all(np.diff(soft[:, 0]) > 0)
    assert_allclose(np.diff(soft[:, 0], 2), 0, atol=0.2)  # 8, 16, 32: spaced by their logarithm
    assert np.all(soft[:, 1] > middle_[:, 1])  # downwards
    assert np.all(middle_[:, 1] > stiff[:, 1])
    study = studies["conduction 3-D"]
    means = np.array([study.at(n, "subc").parts["mean conductivity"].mean for n in (8, 16, 32)])
    slope = np.polyfit(means, soft[:, 1], 1)
    assert_allclose(np.polyval(slope, means), soft[:, 1], atol=0.1)


def test_numbers_are_written_with_the_digits_they_deserve():
    assert with_error(2.34567, 0.0312) == "2.346 ± 0.031"
    assert with_error(-2.34567, 0.0998) == "−2.35 ± 0.10"
    assert with_error(1234.5, 99.96) == "1230 ± 100"
    assert with_error(2.34567e9, 3e7, 1e-9) == "2.346 ± 0.030"
    assert with_error(2.0, None) == "2.000"
    assert with_error(3.0, 0.0) == "3.000 ± 0"
    assert with_error(0.0, 1.3e-6) == "0 ± 1.3e−6"
    assert [signed_percent(v) for v in (-0.05, 0.012, 0.0, -1e-9)] == ["−5 %", "+1.2 %", "0 %", "< 0.001 %"]
    assert [duration(s) for s in (0, 0.012, 3.21, 250, 9000, 3e5)] == [
        "0 s", "12 ms", "3.2 s", "4.2 min", "2.5 h", "3.5 days",
    ]  # fmt: skip


# The page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_is_complete_and_loads_nothing(pages, name):
    assert_complete(pages[name])


def test_the_page_says_what_it_must(pages):
    text = words_of(pages["conduction 3-D"])
    for expected in (
        "Statistical volume element: 32 voxels per edge (64.0 µm)",
        "✗ not representative within 5 %",
        "✓ order of the boundary conditions holds",
        "Most useful next step: Average 16 samples",
        "Bands: 95 % intervals of the means",
        "D²(V) = D² (A/V)^α",
        "Copy CSV",
        "Copy LaTeX",
        "one voxel: 2.00 µm",
        "mean conductivity [W/(m K)]",
        "lineal path L",
        "two-point function S₂",
        "covariance C(r) / C(0)",
        "independent pieces",
        "Are the scales apart?",
        "8 voxels per edge (16.0 µm)",
        "windows of an image of 64 × 64 × 64 voxels",
        "Everything needed to repeat the study.",
    ):
        assert expected in text, expected
    assert text.count("cut at z =") == 3  # one slice per size
    stiff = words_of(pages["elasticity 3-D"])
    assert "bulk modulus [GPa]" in stiff
    assert "shear modulus [GPa]" in stiff
    assert "Voigt with engineering shear, order xx, yy, zz, yz, xz, xy" in stiff
    assert "No representative volume exists at these sizes" in words_of(pages["long range"])
    assert "No representative volume" not in text
    assert "The scatter is not known" in words_of(pages["one sample"])
    grains = words_of(pages["polycrystal"])
    assert "every colour is a grain" in grains
    assert "correlation functions of single ones tell nothing" in grains


def test_scales_need_a_macroscopic_length_to_be_judged():
    image = tiled_image((48, 48), (2e-6, 2e-6))
    study = prescribed(RepresentativityProblem(ImageWindows(image), THERMAL, (8, 24)), SamplingMethod(3))
    assert "depends on the part they are used in" in words_of(render(study))
    wide, close = (words_of(render(study, macro_length=length)) for length in (0.1, 1e-4))
    assert "The scales are clearly separated" in wide
    assert "H = 100 mm" in wide
    assert "The scales are not separated" in close


def test_nothing_that_came_from_outside_runs(studies):
    attack = "<script>alert(1)</script>"
    page = render(studies["one sample"], title=attack, provenance={"who": attack})
    assert attack not in page
    assert page.count("&lt;script&gt;alert") >= 2
    assert words_of(page).count(attack) >= 2


def test_two_pages_of_one_study_are_equal(studies):
    study = studies["polycrystal"]
    assert render(study) == render(study)


def test_the_image_that_is_given_is_the_one_measured(studies):
    image = tiled_image((48, 40), (1e-6, 1e-6), seed=4)
    assert "Correlation functions of 48 × 40 voxels" in words_of(
        render(studies["conduction 2-D"], image, title="Tiles")
    )
    assert "Correlation functions of 4 realizations of 128 × 128 voxels" in words_of(
        render(studies["conduction 2-D"])
    )


def test_writing_never_overwrites_without_being_told(tmp_path, studies):
    study = studies["one sample"]
    path = write_report(study, tmp_path / "new" / "folder", title="Mine", provenance={"command": "rve"})
    assert path == tmp_path / "new" / "folder" / "report.html"
    assert "command" in words_of(path.read_text(encoding="utf-8"))
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        write_report(study, path.parent)
    assert path.read_text(encoding="utf-8") == "mine"
    write_report(study, path, force=True)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("name", STUDIES)
def test_copies_are_read_back(studies, name):
    study = studies[name]
    rows = list(csv.DictReader(io.StringIO(to_csv(study))))
    assert len(rows) == len(study.requirements) * len(study.problem.sizes) * len(study.problem.conditions)
    for row in rows:
        part = study.at(int(row["voxels per edge"]), row["condition"]).parts[row["scalar"]]
        assert float(row["mean"]) == part.mean
        assert (row["deviation"] == "") == (part.deviation is None)
    latex = to_latex(study)
    assert latex.isascii()
    assert latex.count("{") == latex.count("}")
    assert latex.count("$") % 2 == 0
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len(body) == len(study.requirements) * (1 + len(study.problem.sizes))
    assert {line.count("&") for line in body} == {1 + len(study.problem.conditions)}
    assert not any(re.search(r"(?<!\\)%", line) for line in latex.splitlines() if not line.startswith("%"))


def test_the_power_of_ten_of_a_latex_table_is_that_of_its_unit():
    study = elasticity_3d()
    latex = to_latex(study)
    assert r"Bulk modulus in $10^{9}\,\mathrm{Pa}$" in latex
    mean = study.at(24, "periodic").parts["bulk modulus"].mean
    assert f"${mean / 1e9:.3f} \\pm" in latex


# Pictures ---------------------------------------------------------------------------------------------------------


def lines_of(figure):
    return {line.get_label(): line for line in figure.axes[0].get_lines()}


@pytest.mark.parametrize("name", ["conduction 3-D", "elasticity 3-D"])
def test_means_are_drawn_with_their_bands(studies, name):
    study = studies[name]
    scalar = next(iter(study.requirements))
    factor = 1e-9 if name.startswith("elasticity") else 1.0
    figure = figures.means_chart(study, scalar)
    assert_allclose(figure.axes[0].get_xticks(), study.problem.sizes)
    bands = [c for c in figure.axes[0].collections if c.get_paths() and len(c.get_paths()[0].vertices) > 6]
    for label, condition in (("static (SUBC)", "subc"), ("kinematic (KUBC)", "kubc")):
        parts = [study.at(size, condition).parts[scalar] for size in study.problem.sizes]
        line = lines_of(figure)[label]
        assert_allclose(line.get_ydata(), [factor * p.mean for p in parts])
        colour = to_rgb(condition_colour(condition))
        band = next(c for c in bands if np.allclose(c.get_facecolor()[0][:3], colour))
        edges = {(round(x, 6), round(float(y), 9)) for x, y in band.get_paths()[0].vertices}
        for size, part in zip(study.problem.sizes, parts, strict=True):
            assert (size, round(factor * part.low, 9)) in edges
            assert (size, round(factor * part.high, 9)) in edges


def test_the_law_is_drawn_through_its_own_numbers(studies):
    study = studies["conduction 3-D"]
    law = study.scaling["mean conductivity"]["kubc"]
    limit = study.bias["mean conductivity"].reference
    figure = figures.scatter_chart(study, "mean conductivity")
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    colour = condition_colour("kubc")
    fitted = next(
        line for line in axes.get_lines() if line.get_color() == colour and len(line.get_xdata()) > 2
    )
    x, y = fitted.get_xdata(), fitted.get_ydata()
    slope = np.polyfit(np.log(x), np.log(y), 1)[0]
    assert slope == pytest.approx(-1.5 * law.alpha)
    size = float(x[10])
    assert y[10] == pytest.approx(100 * law.deviation(size**3) / limit)
    points = sorted(
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.get_lines()
        if line.get_color() == colour and len(line.get_xdata()) == 1
    )
    expected = [study.at(n, "kubc").parts["mean conductivity"].deviation for n in (8, 16, 32)]
    assert_allclose(points, [(n, 100 * d / limit) for n, d in zip((8, 16, 32), expected, strict=True)])
    enough = 5 / scipy.stats.norm.ppf(0.975)
    assert any(np.allclose(line.get_ydata(), enough) for line in axes.get_lines())
    single = study.requirements["mean conductivity"].single_size
    assert str(single) in [t.get_text() for t in axes.get_xticklabels()]


def test_the_band_of_the_law_is_that_of_its_covariance(studies):
    law = studies["elasticity 3-D"].scaling["bulk modulus"]["periodic"]
    volumes = np.array([8.0, 20.0, 40.0]) ** 3
    centre, low, high = law_band(law, volumes, 1.0)
    draws = np.random.default_rng(1).multivariate_normal([law.intercept, law.alpha], law.covariance, 200_000)
    logarithm = 0.5 * (draws[:, :1] - draws[:, 1:] * np.log(volumes))
    assert_allclose(np.log(centre), logarithm.mean(axis=0), atol=0.01)
    assert_allclose(np.log(high / centre), logarithm.std(axis=0), rtol=0.01)
    assert_allclose(centre / low, high / centre)


def test_samples_needed_are_those_required(studies):
    study = studies["elasticity 3-D"]
    need = study.requirements["bulk modulus"]
    figure = figures.needs_chart(study, "bulk modulus")
    lines = lines_of(figure)
    needed = dict(
        zip(*(a.tolist() for a in map(np.asarray, lines["needed for 5 %"].get_data())), strict=True)
    )
    for row in need.numbers:
        assert needed.get(row.size) == row.number
    assert lines["cheapest"].get_data()[0][0] == need.cheapest.size
    assert lines["cheapest"].get_data()[1][0] == need.cheapest.number
    assert list(lines["at hand"].get_ydata()) == [12] * 4


def test_pictures_without_scatter_are_left_out(studies):
    for name in ("one sample", "void"):
        assert figures.scatter_chart(studies[name], "mean conductivity") is None
        assert figures.needs_chart(studies[name], "mean conductivity") is None
        figures.means_chart(studies[name], "mean conductivity")


def test_conditions_are_told_apart_by_every_eye():
    """Smallest distance in CIELAB under full deuteranopia, protanopia and tritanopia (linear RGB matrices)."""
    eyes = [
        np.eye(3),
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    ]

    def lab(code, eye):
        rgb = np.array(to_rgb(code))
        linear = np.clip(eye @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1)
        xyz = (
            np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
        )
        f = np.cbrt(xyz / np.array([0.9505, 1.0, 1.089]))
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    colours = [condition_colour(name) for name in ("periodic", "kubc", "subc")]
    for first, second in itertools.combinations(colours, 2):
        assert min(np.linalg.norm(lab(first, np.array(e)) - lab(second, np.array(e))) for e in eyes) > 30


def test_a_phase_keeps_its_colour_where_others_are_missing():
    image = PhaseImage(np.full((4, 4, 4), 7, np.uint8), VoxelGrid((4, 4, 4)))
    figure = figures.sample_slice(image, figures.cuts(image.grid)[0], [0, 3, 7])
    picture = figure.axes[0].images[0]
    colour = picture.cmap(picture.norm(picture.get_array()))[0, 0, :3]
    assert_allclose(colour, to_rgb(phase_colour(2)), atol=0.01)


# The material -----------------------------------------------------------------------------------------------------


def test_curves_of_realizations_carry_their_error():
    images = [Tiles((64, 64), 4).realize(seed).image for seed in range(4)]
    found = material_statistics(images, periodic=False)
    assert [p.label for p in found.phases] == [0, 1]
    first = found.phases[0]
    assert first.radial.realizations == 4
    assert first.radial.standard_error is not None
    # Independent tiles of edge 4: along an axis the covariance falls linearly to 0 at lag 4.
    along = first.along[0]
    rho = (along.values - first.fraction**2) / (first.fraction * (1 - first.fraction))
    assert_allclose(rho[:5], [1, 0.75, 0.5, 0.25, 0], atol=0.08)
    assert found.length == pytest.approx(4 * (1 - 1 / np.e), rel=0.25)
    assert found.unit == "voxels"
    # Of two phases, reach and drift of one are those of the other: told once.
    assert [note.split(":")[0] for note in found.notes] == ["Phase 1", "Phase 1"]
    assert first.correlation == found.phases[1].correlation
    assert material_statistics(images[:1], periodic=False).phases[0].radial.standard_error is None


def test_what_cannot_be_correlated_says_so():
    grid = VoxelGrid((8, 8))
    one = PhaseImage(np.zeros((8, 8), np.uint8), grid)
    assert "single phase" in material_statistics([one], periodic=True).missing
    many = PhaseImage(np.arange(64, dtype=np.uint8).reshape(8, 8), grid)
    assert "64 labels" in material_statistics([many], periodic=True).missing
    assert material_statistics([many], periodic=True).length is None
    other = PhaseImage(np.ones((8, 8), np.uint8), grid)
    assert "filled by one phase" in material_statistics([one, other], periodic=True).missing


def test_large_images_are_measured_in_their_middle(monkeypatch):
    monkeypatch.setattr("scalebridge.microstructure.statistics.measured_part.LARGEST", 1000)
    labels = np.zeros((40, 80), np.uint8)
    labels[10:30, 20:60] = 1
    part = middle(PhaseImage(labels, VoxelGrid((40, 80), (1e-6, 2e-6))))
    assert part.grid.shape == (22, 44)
    assert part.grid.spacing == (1e-6, 2e-6)
    assert part.fractions[1] == pytest.approx(800 / (22 * 44))
    assert "the middle of the image" in material_statistics([tiled_image((64, 64))], periodic=True).looked_at


# A study that was really solved -----------------------------------------------------------------------------------


def test_a_solved_study_shows_itself(tmp_path):
    source = GeneratorEnsemble(Tiles((8, 8), 2), seed=1)
    problem = RepresentativityProblem(source, LAWS, (6, 12), ALL)
    study = representativity(problem, SamplingMethod(5, workers=ALONE))
    text = str(study)
    assert "order SUBC ≤ PBC ≤ KUBC: holds in every sample" in text
    page = words_of(write_report(study, tmp_path).read_text(encoding="utf-8"))
    for size in (6, 12):
        part = study.at(size, "kubc").parts["mean conductivity"]
        assert with_error(part.mean, part.half_width) in page
    assert "Tiles" in page


def test_windows_of_all_sizes_and_too_many_slices():
    problem = RepresentativityProblem(ImageWindows(tiled_image((40, 40))), THERMAL, tuple(range(4, 14)))
    study = prescribed(problem, SamplingMethod(2))
    text = words_of(render(study))
    assert text.count("the whole image") == 6
    assert max(map(len, str(study).splitlines())) <= 100
