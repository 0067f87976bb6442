"""Pictures the right way round: axes, loads, order of bounds; looked at pixel by pixel."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from example_results import conduction_result, elasticity_result, faces_result
from scalebridge.grid import Field, Location, PhaseImage, VoxelGrid
from scalebridge.grid.palette import PHASE_COLOURS, phase_colour
from scalebridge.homogenize.concentration import flux_concentration
from scalebridge.report import figures
from scalebridge.report.figures.charts import bounds_rows
from scalebridge.report.theme import LIGHT, PAGE, to_svg


def colour_at(figure, x: float, y: float) -> tuple[int, int, int]:
    """What a reader sees at data coordinates (x, y) of the first axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    column, row = figure.axes[0].transData.transform((x, y))
    return tuple(int(v) for v in pixels[pixels.shape[0] - 1 - int(row), int(column), :3])


def rgb(code: str) -> tuple[int, ...]:
    return tuple(int(code[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.parametrize("normal", [0, 1, 2])
def test_a_marked_voxel_shows_where_its_axes_say(normal: int) -> None:
    grid = VoxelGrid((12, 8, 6), (1e-6, 2e-6, 3e-6))
    marker = [9, 1, 4]
    marker[normal] = grid.shape[normal] // 2
    labels = np.zeros(grid.shape, np.uint8)
    labels[tuple(marker)] = 1
    cut = next(c for c in figures.cuts(grid) if c.normal == normal)
    figure = figures.phase_slice(PhaseImage(labels, grid), cut)
    axes = figure.axes[0]
    right, up = cut.axes
    assert axes.get_xlabel() == f"{'xyz'[right]} [µm]"
    assert axes.get_ylabel() == f"{'xyz'[up]} [µm]"
    spacing = np.array(grid.spacing) * 1e6
    x, y = ((marker[a] + 0.5) * spacing[a] for a in (right, up))
    assert colour_at(figure, x, y) == rgb(PHASE_COLOURS[1])
    mirrored = ((grid.shape[a] - marker[a] - 0.5) * spacing[a] for a in (right, up))
    assert colour_at(figure, *mirrored) == rgb(PHASE_COLOURS[0])


def test_nodal_fields_are_cut_through_the_voxel_centres() -> None:
    grid = VoxelGrid((6, 5, 4))
    nodes = np.stack(np.meshgrid(*[np.arange(n + 1.0) for n in grid.shape], indexing="ij"))
    field = Field("displacement", nodes, grid, Location.NODE)
    for cut in figures.cuts(grid):
        for component in range(3):
            plane = cut.take(field, component)
            assert plane.shape == tuple(grid.shape[a] for a in cut.axes)
            at = [np.arange(plane.shape[0])[:, None] + 0.5, np.arange(plane.shape[1])[None] + 0.5]
            expected = dict(zip(cut.axes, at, strict=True)).get(component, cut.position + 0.5)
            assert_allclose(plane, np.broadcast_to(expected, plane.shape))


def arrow_of(figure) -> np.ndarray:
    (arrow,) = figure.axes[-1].texts
    return np.subtract(arrow.xy, arrow.xyann)


def test_the_gradient_is_drawn_in() -> None:
    """Along x: to the right in the cuts that contain x, a dot towards the reader in the one that does not."""
    result = conduction_result((12, 10, 8))
    cuts = {cut.normal: cut for cut in figures.cuts(result.image.grid)}
    along_x = figures.flux_view(result.fields[0])
    for normal in (1, 2):
        assert arrow_of(figures.field_slice(along_x, cuts[normal])) == pytest.approx([1.8, 0.0])
    out_of_plane = figures.field_slice(along_x, cuts[0]).axes[-1]
    assert not out_of_plane.texts
    assert len(out_of_plane.lines) == 2
    along_z = figures.flux_view(result.fields[2])
    assert arrow_of(figures.field_slice(along_z, cuts[1])) == pytest.approx([0.0, 1.8])
    reversed_ = dataclasses.replace(along_x, load=-along_x.load)
    assert arrow_of(figures.field_slice(reversed_, cuts[2])) == pytest.approx([-1.8, 0.0])


def test_the_strain_is_drawn_in() -> None:
    result = elasticity_result((12, 10, 8))
    cuts = {cut.normal: cut for cut in figures.cuts(result.image.grid)}

    def square(load: int, normal: int) -> np.ndarray:
        return (
            figures.field_slice(figures.flux_view(result.fields[load]), cuts[normal])
            .axes[-1]
            .lines[1]
            .get_xydata()
        )

    stretched = np.ptp(square(0, 2), axis=0)
    assert stretched[0] > stretched[1] == pytest.approx(1.1)
    upwards = np.ptp(square(2, 1), axis=0)  # zz in the xz plane
    assert upwards[1] > upwards[0] == pytest.approx(1.1)
    sheared = square(5, 2)  # xy: the upper right corner moves outwards, the upper left one to the right
    assert sheared[2, 0] > 0.55
    assert sheared[3, 0] > -0.55
    assert np.ptp(square(5, 1), axis=0) == pytest.approx([1.1, 1.1])  # out of the xz plane


def test_stress_pictures_carry_no_sqrt_two_and_their_unit() -> None:
    result = elasticity_result((8, 8, 8))
    view = figures.flux_view(result.fields[5])
    cut = figures.cuts(result.image.grid)[0]
    assert view.title == "stress xy"
    assert view.unit == "GPa"
    expected = result.fields[5].flux.values[5][:, :, cut.position] / np.sqrt(2) / 1e9
    assert_allclose(view.take(cut).data, expected, rtol=1e-12)


def test_voids_stay_empty() -> None:
    result = faces_result((16, 12, 10))
    cut = figures.cuts(result.image.grid)[0]
    mask = figures.energy_view(result.fields[0]).take(cut).mask
    assert np.array_equal(mask, result.image.labels[:, :, cut.position] == 1)


def test_bounds_are_in_order() -> None:
    for result in (conduction_result((16, 16, 16)), elasticity_result((12, 12, 12))):
        for row in bounds_rows(result):
            keys = ("reuss", "hs_low", "value", "hs_high", "voigt")
            numbers = [float(row[key]) for key in keys if key in row]
            assert numbers == sorted(numbers), row
            if "low" in row:
                assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
    assert [row["name"] for row in bounds_rows(conduction_result((8, 8)))] == ["x", "y"]
    assert [row["name"] for row in bounds_rows(elasticity_result((8, 8)))] == ["K", "G"]


def test_a_wide_range_is_logarithmic_and_a_void_is_not() -> None:
    wide = figures.bounds_chart(conduction_result((12, 12), contrast=1000.0))
    assert wide.axes[0].get_xscale() == "log"
    assert figures.bounds_chart(faces_result((12, 12, 6))).axes[0].get_xscale() == "linear"


def test_the_resolution_chart_ends_in_the_extrapolated_value() -> None:
    result = conduction_result((12, 12))
    assert result.resolution is not None
    axes = figures.resolution_chart(result, result.resolution).axes[0]
    fit, limit, computed = axes.get_lines()
    assert_allclose(fit.get_xydata()[0], limit.get_xydata()[0])
    assert_allclose(computed.get_xdata(), [1 / 24, 1 / 48, 1 / 96])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["∞", "24", "48", "96"]


def test_every_figure_becomes_svg_without_fixed_colours() -> None:
    result = conduction_result((12, 10, 8))
    cut = figures.cuts(result.image.grid)[0]
    view = figures.primary_view(result.fields[0])
    made = {
        "bounds": figures.bounds_chart(result, PAGE),
        "convergence": figures.convergence_chart(result.solver, PAGE),
        "histogram": figures.concentration_chart(flux_concentration(result.fields[0], result.image), PAGE),
        "slice": figures.field_slice(view, cut, PAGE),
        "bar": figures.colour_bar(view, PAGE),
    }
    for name, figure in made.items():
        svg = to_svg(figure, name, "a <b> & c")
        assert 'aria-label="a &lt;b> &amp; c"' in svg
        assert "var(--" in svg
        assert not re.search("|".join(dataclasses.astuple(PAGE)), svg)
        assert "#000000" not in svg
        assert all(i.startswith(f"{name}-") for i in re.findall(r'\bid="([^"]+)"', svg))


def test_figures_leave_the_settings_of_the_caller_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.convergence_chart(conduction_result((8, 8)).solver, LIGHT)
    assert dict(matplotlib.rcParams) == before


def test_phase_colours_do_not_run_out() -> None:
    colours = [phase_colour(n) for n in range(40)]
    assert len(set(colours)) == 40
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in colours)


def test_notebook_picture_and_report_show_a_phase_in_one_colour() -> None:
    from scalebridge.microstructure.picture import slices_figure

    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = PhaseImage(labels, VoxelGrid(labels.shape))
    picture = slices_figure(image)
    shown = np.asarray(picture.axes[0].get_images()[0].get_array())  # rows along y
    report = figures.phase_slice(image, figures.cuts(image.grid)[0])
    palette = report.axes[0].get_images()[0].get_cmap()
    notebook = image._repr_html_()
    for position in range(12):
        expected = rgb(phase_colour(position))
        assert f"background:{phase_colour(position)};" in notebook
        assert tuple(shown[position % 4, position // 4]) == expected
        assert tuple(palette(position, bytes=True))[:3] == expected
