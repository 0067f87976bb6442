"""One fibre along physical x, from a TIFF stored z, y, x to the numbers, the report and the fields seen by ParaView."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scalebridge import Conduction, homogenize, read_image
from scalebridge.cli.main import main
from scalebridge.homogenize.result import HomogenizationResult
from scalebridge.report import write_report, write_results

SHAPE = (10, 8, 6)
LAWS = {0: Conduction.isotropic(1.0), 1: Conduction.isotropic(50.0)}


@pytest.fixture(scope="module")
def fibre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fibre along x at y = 2..3, z = 4, and a marker voxel at (8, 6, 1) that nothing maps onto itself."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 2:4, 4] = 1
    labels[8, 6, 1] = 1
    path = tmp_path_factory.mktemp("fibre") / "fibre.tif"
    tifffile.imwrite(path, np.ascontiguousarray(labels.transpose(2, 1, 0)))
    return path


@pytest.fixture(scope="module")
def result(fibre: Path) -> HomogenizationResult:
    return homogenize(read_image(fibre, spacing="2 um"), LAWS, residual=1e-5, fields=True)


def test_the_fibre_conducts_along_x_in_python(result: HomogenizationResult) -> None:
    assert result.image.grid.shape == SHAPE
    kx, ky, kz = np.diag(result.value)
    share = float(np.mean(result.image.labels))
    assert kx == pytest.approx(1 + 49 * share, rel=0.05)
    assert kx > 1.4 * max(ky, kz)
    assert [p.percolates for p in result.phases if p.label == 1] == [(True, False, False)]


def test_the_fibre_conducts_along_x_on_the_command_line(
    fibre: Path, result: HomogenizationResult, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["homogenize", str(fibre), "--physics", "conduction", "--phase", "0:k=1", "--phase", "1:k=50"]
    assert main([*words, "--spacing", "2um", "--residual", "1e-5", "--json"]) == 0
    captured = capsys.readouterr().out
    assert len(captured.splitlines()) == 1
    record = json.loads(captured)
    assert record["ordering"] == ["x", "y", "z"]
    np.testing.assert_allclose(record["value"], result.value, rtol=1e-9, atol=1e-12)
    assert record["image"]["shape"] == list(SHAPE)


def test_the_report_names_the_axes_of_the_fibre(result: HomogenizationResult, tmp_path: Path) -> None:
    page = write_report(result, tmp_path).read_text(encoding="utf-8")
    assert "10 × 8 × 6" in page
    copied = json.loads(
        next(path for path in write_results(result, tmp_path) if path.name == "result.json").read_text()
    )
    assert np.argmax(np.diag(copied["value"])) == 0


def test_vtk_finds_every_value_where_it_belongs(result: HomogenizationResult, tmp_path: Path) -> None:
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import vtk_to_numpy

    path = next(path for path in write_results(result, tmp_path) if path.name == "fields.vti")
    reader = vtk.vtkXMLImageDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    data = reader.GetOutput()
    assert data.GetDimensions() == tuple(n + 1 for n in SHAPE)
    assert data.GetSpacing() == pytest.approx((2e-6,) * 3)
    cells = data.GetCellData()
    labels = cells.GetArray("phase")

    def at(point: tuple[float, ...]) -> int:
        index = [0, 0, 0]
        assert data.ComputeStructuredCoordinates([2e-6 * (x + 0.5) for x in point], index, [0.0] * 3)
        return int(data.ComputeCellId(index))

    for point in ((8, 6, 1), (0, 2, 4), (9, 3, 4), (1, 6, 5)):
        assert labels.GetTuple1(at(point)) == result.image.labels[point]
    flux = result.fields[0].flux
    written = vtk_to_numpy(cells.GetArray(f"{flux.name}_x".replace(" ", "_")))
    inside = flux.values
    for point in ((8, 6, 1), (3, 2, 4), (0, 7, 5)):
        np.testing.assert_allclose(written[at(point)], inside[(slice(None), *point)], rtol=1e-5, atol=1e-7)
