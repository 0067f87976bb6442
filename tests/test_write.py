"""Writing images and fields: read back with the same axes, by this package and by VTK."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal

from image_files import MARKER, SHAPE, SPACING, marked
from scalebridge.core.errors import OutputError
from scalebridge.grid import Field, GreyImage, Location, PhaseImage, VoxelGrid
from scalebridge.microstructure import (
    read_grey,
    read_image,
    write_fields_vti,
    write_image,
    write_slices,
    write_vti,
)

GRID = VoxelGrid(SHAPE, SPACING)
PATHS = ("a.tif", "a.tiff", "a.vti", "a.h5:/deep/er", "a.hdf5:/labels", "a.npy")


def vtk_image(path: Path) -> object:
    vtk_xml = pytest.importorskip("vtkmodules.vtkIOXML")
    reader = vtk_xml.vtkXMLImageDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def vtk_array(data: object, name: str) -> np.ndarray:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(data.GetArray(name))  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_round_trip(path: str, dtype: type, tmp_path: Path) -> None:
    image = PhaseImage(marked().astype(dtype), GRID)
    write_image(image, tmp_path / path)
    back = read_image(tmp_path / path)
    assert_array_equal(back.labels, image.labels)
    if not path.endswith("npy"):
        assert back.grid.spacing == pytest.approx(SPACING)


@pytest.mark.parametrize("path", PATHS)
def test_round_trip_in_two_dimensions(path: str, tmp_path: Path) -> None:
    image = PhaseImage(marked((5, 4), (3, 1)), VoxelGrid((5, 4)))
    write_image(image, tmp_path / path)
    assert_array_equal(read_image(tmp_path / path).labels, image.labels)


@pytest.mark.parametrize("path", PATHS)
def test_grey_values_round_trip(path: str, tmp_path: Path) -> None:
    grey = GreyImage(np.random.default_rng(1).random(SHAPE).astype(np.float32), GRID)
    write_image(grey, tmp_path / path)
    assert_array_equal(read_grey(tmp_path / path).values, grey.values)


@pytest.mark.parametrize("thickness", [1, 3, 4])
def test_thin_stacks_are_no_colours(thickness: int, tmp_path: Path) -> None:
    """Three or four slices (or columns) look like RGB to a careless TIFF writer."""
    for shape in ((6, 7, thickness), (thickness, 7, 6), (6, thickness, 7)):
        image = PhaseImage(marked(shape, (0, 1 if shape[1] > 1 else 0, shape[2] - 1)), VoxelGrid(shape))
        write_image(image, tmp_path / "a.tif")
        assert_array_equal(read_image(tmp_path / "a.tif").labels, image.labels)


def test_slices(tmp_path: Path) -> None:
    write_slices(PhaseImage(marked(), GRID), tmp_path / "new" / "slices")
    assert_array_equal(read_image(tmp_path / "new" / "slices").labels, marked())
    assert_array_equal(tifffile.imread(tmp_path / "new" / "slices" / "slice_0002.tif"), marked()[:, :, 2].T)


def test_vtk_finds_the_marker_where_it_is(tmp_path: Path) -> None:
    write_image(PhaseImage(marked(), GRID), tmp_path / "a.vti")
    data = vtk_image(tmp_path / "a.vti")
    assert tuple(data.GetDimensions()) == (6, 5, 4)
    assert_allclose(data.GetSpacing(), SPACING)
    values = vtk_array(data.GetCellData(), "labels")
    assert data.GetCellData().GetScalars().GetName() == "labels"
    cell = int(np.flatnonzero(values == 7)[0])
    bounds = np.array(data.GetCell(cell).GetBounds()).reshape(3, 2)
    assert_allclose(bounds.mean(axis=1), (np.array(MARKER) + 0.5) * SPACING)


def test_vtk_reads_every_kind_of_field(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    scalar, vector = random.random(SHAPE), random.random((3, *SHAPE))
    mandel, full = random.random((6, *SHAPE)), random.random((3, 3, *SHAPE))
    nodes = random.random((3, 6, 5, 4)).astype(np.float32)
    big = random.random((2, 40, 41, 42))  # several compressed blocks
    write_fields_vti(
        tmp_path / "a.vti",
        GRID,
        {"energy": scalar, "flux": vector, "stress": mandel, "F < & \"'": full, "void": scalar > 0.5},
        {"displacement": nodes},
    )
    data = vtk_image(tmp_path / "a.vti")
    cells = data.GetCellData()
    place = np.ravel_multi_index((MARKER[2], MARKER[1], MARKER[0]), SHAPE[::-1])
    assert vtk_array(cells, "energy")[place] == scalar[MARKER]
    assert_array_equal(vtk_array(cells, "flux")[place], vector[(slice(None), *MARKER)])
    xx, yy, zz, yz, xz, xy = mandel[(slice(None), *MARKER)]
    root = np.sqrt(2)
    assert_allclose(vtk_array(cells, "stress")[place], [xx, yy, zz, xy / root, yz / root, xz / root])
    assert [cells.GetArray("stress").GetComponentName(i) for i in range(6)] == [
        "XX",
        "YY",
        "ZZ",
        "XY",
        "YZ",
        "XZ",
    ]
    assert_array_equal(
        vtk_array(cells, "F < & \"'")[place], full[(slice(None), slice(None), *MARKER)].ravel()
    )
    assert vtk_array(cells, "void").sum() == (scalar > 0.5).sum()
    point = np.ravel_multi_index((3, 4, 5), (4, 5, 6))
    assert_array_equal(vtk_array(data.GetPointData(), "displacement")[point], nodes[:, 5, 4, 3])
    write_fields_vti(tmp_path / "b.vti", VoxelGrid((40, 41, 42)), {"a": big[0]}, {})
    assert vtk_array(vtk_image(tmp_path / "b.vti").GetCellData(), "a")[-1] == big[0, -1, -1, -1]


def test_flat_fields(tmp_path: Path) -> None:
    grid = VoxelGrid((5, 4), (1e-3, 2e-3))
    random = np.random.default_rng(3)
    stress, flux, nodes = random.random((3, 5, 4)), random.random((2, 5, 4)), random.random((6, 5))
    write_vti(
        tmp_path / "a.vti",
        [
            Field("stress", stress, grid),
            Field("flux", flux, grid),
            Field("potential", nodes, grid, Location.NODE),
        ],
    )
    data = vtk_image(tmp_path / "a.vti")
    assert tuple(data.GetDimensions()) == (6, 5, 1)
    xx, yy, xy = stress[:, 3, 2]
    assert_allclose(vtk_array(data.GetCellData(), "stress")[2 * 5 + 3], [xx, yy, 0, xy / np.sqrt(2), 0, 0])
    assert_array_equal(vtk_array(data.GetCellData(), "flux")[2 * 5 + 3], [*flux[:, 3, 2], 0])
    assert vtk_array(data.GetPointData(), "potential")[4 * 6 + 5] == nodes[5, 4]


@pytest.mark.parametrize("mode", ["ascii", "binary", "appended"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("encoded", [True, False])
def test_what_vtk_writes_is_read(mode: str, compressed: bool, encoded: bool, tmp_path: Path) -> None:
    vtk_xml = pytest.importorskip("vtkmodules.vtkIOXML")
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    shape = (50, 40, 30)
    labels = np.random.default_rng(4).integers(0, 9, shape).astype(np.uint16)
    data = vtkImageData()
    data.SetDimensions(*(n + 1 for n in shape))
    data.SetSpacing(*SPACING)
    array = numpy_to_vtk(labels.T.ravel(), deep=True)
    array.SetName("grains")
    data.GetCellData().SetScalars(array)
    writer = vtk_xml.vtkXMLImageDataWriter()
    writer.SetFileName(str(tmp_path / "a.vti"))
    writer.SetInputData(data)
    {
        "ascii": writer.SetDataModeToAscii,
        "binary": writer.SetDataModeToBinary,
        "appended": writer.SetDataModeToAppended,
    }[mode]()
    writer.SetCompressorTypeToZLib() if compressed else writer.SetCompressorTypeToNone()
    writer.SetEncodeAppendedData(encoded)
    writer.Write()
    image = read_image(tmp_path / "a.vti")
    assert_array_equal(image.labels, labels)
    assert image.grid.spacing == pytest.approx(SPACING)


def test_failures_leave_the_old_file(tmp_path: Path) -> None:
    image = PhaseImage(marked(), GRID)
    write_image(image, tmp_path / "a.vti")
    old = (tmp_path / "a.vti").read_bytes()
    with pytest.raises(OutputError, match=r"(?s)'bad' has shape \(5, 4\); .*5, 4, 3"):
        write_fields_vti(tmp_path / "a.vti", GRID, {"bad": np.zeros((5, 4))}, {})
    with pytest.raises(OutputError, match="complex128"):
        write_fields_vti(tmp_path / "a.vti", GRID, {"bad": np.zeros(SHAPE, complex)}, {})
    assert (tmp_path / "a.vti").read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.vti"]
    with pytest.raises(OutputError, match=r"'\.png' is none of"):
        write_image(image, tmp_path / "a.png")
    with pytest.raises(OutputError, match="Cannot write"):
        write_image(image, tmp_path / "no" / "folder" / "a.tif")
    with pytest.raises(OutputError, match="Cannot write"):
        write_image(image, tmp_path / "a.vti" / "b.tif")
    with pytest.raises(OutputError, match="different grids"):
        write_vti(
            tmp_path / "a.vti",
            [Field("a", np.zeros(SHAPE), GRID), Field("b", np.zeros((2, 2)), VoxelGrid((2, 2)))],
        )
    with pytest.raises(OutputError, match="no field"):
        write_vti(tmp_path / "a.vti", [])


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_unwritable_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="not permitted"):
        write_image(PhaseImage(marked(), GRID), tmp_path / "a.npy")
