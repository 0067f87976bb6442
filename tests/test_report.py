"""The page and the files beside it: complete, offline, valid, with every picture the right way round."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from example_results import (
    EVERY_KIND,
    ball_image,
    conduction_fields,
    conduction_result,
    elasticity_result,
    faces_result,
    thermoelasticity_result,
)
from html_pages import Page, assert_complete
from scalebridge.core.errors import OutputError
from scalebridge.homogenize.json_record import to_json
from scalebridge.homogenize.result import ErrorBudget, HomogenizationResult
from scalebridge.report import write_report, write_results
from scalebridge.report.page import render
from scalebridge.report.vti import field_arrays


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render(make()) for name, make in EVERY_KIND.items()}


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_page_is_complete_and_loads_nothing(pages: dict[str, str], name: str) -> None:
    page = assert_complete(pages[name])
    assert "not assessed" in " ".join(page.words)


def test_the_page_says_what_the_issue_asks(pages: dict[str, str]) -> None:
    text = " ".join(" ".join(Page(pages["conduction 3-D"]).words).split())
    for expected in (
        "± 2.1 %",
        "accuracy asked 1 %: not met",
        "The image is periodic: violated",
        "Most useful next step:",
        "discretization",
        "The discretization term prevents it",
        "Copy CSV",
        "Copy LaTeX",
        "W/(m K); order x, y, z",
        "Load: unit gradient along y",
        "Hot spots",
        "Residual against iteration",
        "5.345 µm",
        "9f2c5c1b0a6d4f0e8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f",
    ):
        assert expected in text or f'aria-label="{expected}"' in pages["conduction 3-D"], expected
    assert text.index("violated") < text.index("Entries may be wrong")
    stiff = " ".join(Page(pages["elasticity 3-D"]).words)
    assert "Voigt with engineering shear" in stiff
    assert "Copy Abaqus" in stiff


def test_the_embedded_record_is_the_record(pages: dict[str, str]) -> None:
    found = re.search(
        r'<script type="application/json" id="record">(.*?)</script>', pages["faces"], re.DOTALL
    )
    assert found is not None
    assert json.loads(found[1]) == json.loads(json.dumps(to_json(EVERY_KIND["faces"]())))


def test_nothing_that_came_from_outside_runs(pages: dict[str, str]) -> None:
    page = pages["thermoelasticity"]
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_two_pages_of_one_result_are_equal() -> None:
    assert render(conduction_result()) == render(conduction_result())


def test_many_phases_and_thin_images() -> None:
    labels = np.arange(40, dtype=np.uint8).reshape(20, 2) % 33
    image = ball_image((20, 2), None)
    image = image.with_labels(labels, "relabelled")
    base = conduction_result((20, 2), spacing=None)
    phases = tuple(dataclasses.replace(base.phases[0], label=n, fraction=1 / 33) for n in range(33))
    fields = conduction_fields(image, 1.0 + labels, 0)
    page = Page(render(dataclasses.replace(base, image=image, phases=phases, fields=(fields,))))
    assert "and 9 more" in " ".join(page.words)


def test_writing_never_overwrites_without_being_told(tmp_path: Path) -> None:
    result = conduction_result((8, 8))
    path = write_report(result, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "report.html"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        write_report(result, path.parent)
    assert path.read_text(encoding="utf-8") == "mine"
    write_report(result, path, force=True)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="Cannot write"):
        write_report(result, tmp_path / "file" / "below")


def test_records_are_written_and_read_back(tmp_path: Path) -> None:
    result = elasticity_result((6, 5, 4))
    paths = write_results(result, tmp_path)
    assert [p.name for p in paths] == ["result.json", "result.csv", "fields.vti"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == json.loads(json.dumps(to_json(result)))
    assert len(list(csv.reader(paths[1].read_text(encoding="utf-8").splitlines()))) > 6
    with pytest.raises(OutputError, match="exists already"):
        write_results(result, tmp_path)
    without = dataclasses.replace(result, fields=())
    assert len(write_results(without, tmp_path, force=True)) == 2
    assert len(write_results(thermoelasticity_result(), tmp_path / "other")) == 2


def test_fields_read_back_with_vtk_stand_where_they_should(tmp_path: Path) -> None:
    """A marker voxel in a box with three different edges, and six different stress components."""
    from vtk.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    result = elasticity_result((7, 5, 3))
    stress = np.zeros((6, 7, 5, 3))
    stress[:, 5, 1, 2] = np.array([1, 2, 3, 4, 5, 6]) * np.array([1, 1, 1, *[np.sqrt(2)] * 3])
    node = np.zeros((3, 8, 6, 4))
    node[:, 6, 2, 3] = 7, 8, 9
    one = result.fields[5]
    marked = dataclasses.replace(
        one,
        flux=dataclasses.replace(one.flux, values=stress),
        primary=dataclasses.replace(one.primary, values=node),
    )
    write_results(dataclasses.replace(result, fields=(marked,)), tmp_path)
    reader = vtkXMLImageDataReader()
    reader.SetFileName(str(tmp_path / "fields.vti"))
    reader.Update()
    data = reader.GetOutput()
    assert data.GetDimensions() == (8, 6, 4)
    assert_allclose(data.GetSpacing(), result.image.grid.spacing)
    array = vtk_to_numpy(data.GetCellData().GetArray("stress_xy"))
    cell = data.GetCell(5 + 7 * (1 + 5 * 2)).GetBounds()
    assert_allclose(cell[::2], np.array([5, 1, 2]) * result.image.grid.spacing, rtol=1e-6)
    assert_allclose(array[5 + 7 * (1 + 5 * 2)], [1, 2, 3, 6, 4, 5])  # XX YY ZZ XY YZ XZ
    assert np.count_nonzero(array) == 6
    points = vtk_to_numpy(data.GetPointData().GetArray("displacement_xy"))
    assert_allclose(points[6 + 8 * (2 + 6 * 3)], [7, 8, 9])
    phase = vtk_to_numpy(data.GetCellData().GetArray("phase"))
    assert np.array_equal(phase.reshape(3, 5, 7).transpose(2, 1, 0), result.image.labels)


def test_every_load_has_its_own_arrays() -> None:
    cells, points = field_arrays(elasticity_result((5, 4, 3)))
    assert {f"stress_{c}" for c in ("xx", "yy", "zz", "yz", "xz", "xy")} <= set(cells)
    assert "displacement_yz" in points
    assert set(field_arrays(conduction_result((5, 4)))[1]) == {"potential_x", "potential_y"}


def test_the_template_is_inside_the_package() -> None:
    assert resources.files("scalebridge.report").joinpath("template.html.jinja").is_file()


def test_what_is_missing_is_explained() -> None:
    base = conduction_result((8, 8), fields=False)
    extra = {
        "tortuosity": (1.2, None),
        "formation_factor": (2.4, None),
        "anisotropy": {"ratio": None},
        "reasons": {"tortuosity.y": "phase 0 does not connect along y", "anisotropy.ratio": "it is singular"},
    }
    text = " ".join(Page(render(dataclasses.replace(base, extra=extra))).words)
    assert "phase 0 does not connect along y" in text
    assert "it is singular" in text
    assert "tortuosity along x" in text


@pytest.mark.parametrize(
    ("make", "places"), [(conduction_result, 2), (faces_result, 3)], ids=["tensor", "number"]
)
def test_part_of_an_error_never_passes_for_all_of_it(
    make: Callable[..., HomogenizationResult], places: int
) -> None:
    whole = make()
    unknown = [
        dataclasses.replace(t, value=None) if t.name == "discretization" else t for t in whole.error.terms
    ]
    part = dataclasses.replace(whole, error=ErrorBudget(tuple(unknown), None))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", render(part)))
    assert text.count("% without the discretization error") == places, "title, headline, number"
    assert "by the discretization error, not assessed" in text
    assert "without the discretization error" not in render(whole)


def test_a_resolution_study_without_change_is_not_plotted() -> None:
    base = conduction_result((8, 8), fields=False)
    assert base.resolution is not None
    flat = dataclasses.replace(base.resolution, values=(base.value,) * 3)
    assert "Resolution study" in render(base)
    assert "Resolution study" not in render(dataclasses.replace(base, resolution=flat))
