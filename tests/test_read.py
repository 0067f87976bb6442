"""Reading images: every format gives the same [x, y, z] array, every mistake one clear message."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

import image_files
from image_files import SAMPLES, SHAPE, SPACING, Sample, marked
from scalebridge.core.errors import ImageError, ResourceError, SpacingError, UnitError
from scalebridge.microstructure import ByteOrder, RawLayout, open_image, parse_spacing, read_grey, read_image

name_of = pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)


def written(sample: Sample, folder: Path, array: np.ndarray | None = None) -> Path:
    path = folder / f"image{sample.suffix}"
    sample.write(path, marked() if array is None else array)
    return path


@name_of
def test_every_format_gives_the_same_image(sample: Sample, tmp_path: Path) -> None:
    image = read_image(written(sample, tmp_path), dataset=sample.dataset, raw=sample.raw)
    assert_array_equal(image.labels, marked())
    assert image.labels.dtype == (
        np.uint16 if sample.name in ("tiff-imagej", "nrrd-raw") else image.labels.dtype
    )
    assert image.labels.dtype.kind == "u"
    if sample.spacing is None:
        assert image.grid.spacing is None
        assert image.history[-1] == "voxel spacing unknown" or "kept as" in image.history[-1]
    else:
        assert image.grid.spacing == pytest.approx(sample.spacing, rel=1e-6)
    words = " ".join(image.history)
    assert "5 x 4 x 3" in words
    assert "stored as [" in words


@name_of
def test_given_spacing_wins_over_the_header(sample: Sample, tmp_path: Path) -> None:
    image = read_image(written(sample, tmp_path), dataset=sample.dataset, raw=sample.raw, spacing="2,3,4 um")
    assert image.grid.spacing == pytest.approx((2e-6, 3e-6, 4e-6))
    assert any("given by the caller" in step for step in image.history)


@name_of
def test_truncated_files_are_refused(sample: Sample, tmp_path: Path) -> None:
    path = written(sample, tmp_path)
    content = path.read_bytes()
    for keep in (0.02, 0.3, 0.6, 0.9, 0.97):
        path.write_bytes(content[: int(keep * len(content))])
        try:
            image = read_image(path, dataset=sample.dataset, raw=sample.raw)
        except ImageError:
            continue
        assert_array_equal(image.labels, marked())  # what was cut off was no voxel


@name_of
def test_grey_values_are_kept_for_thresholds(sample: Sample, tmp_path: Path) -> None:
    image = read_image(written(sample, tmp_path), dataset=sample.dataset, raw=sample.raw, threshold=[1, 7])
    assert_array_equal(image.labels, np.searchsorted([1, 7], marked(), side="right"))
    assert "segmented by thresholds 1, 7" in image.history[-1]


def test_axes_override_turns_array_and_spacing_together(tmp_path: Path) -> None:
    path = tmp_path / "a.vti"
    next(s for s in SAMPLES if s.name == "vti-raw").write(path, marked())
    image = read_image(path, axes="xyz")
    assert_array_equal(image.labels, marked().T)
    assert image.grid.spacing == pytest.approx(SPACING[::-1])
    np.save(tmp_path / "b.npy", marked())
    assert_array_equal(read_image(tmp_path / "b.npy", axes="yzx").labels, marked().transpose(2, 0, 1))
    with pytest.raises(ImageError, match="each of x, y, z once"):
        read_image(path, axes="zy")


def chain_of_pages(content: bytes) -> list[tuple[int, int]]:
    """Per page of a little-endian TIFF: where its directory begins, and where its link to the next one is."""
    position = struct.unpack_from("<I", content, 4)[0]
    found = []
    while position:
        link = position + 2 + 12 * struct.unpack_from("<H", content, position)[0]
        found.append((position, link))
        position = struct.unpack_from("<I", content, link)[0]
    return found


@pytest.mark.parametrize("name", ["tiff", "tiff-plain", "tiff-imagej"])
def test_pages_in_circles(name: str, tmp_path: Path) -> None:
    path = written(next(s for s in SAMPLES if s.name == name), tmp_path)
    content = bytearray(path.read_bytes())
    pages = chain_of_pages(bytes(content))
    struct.pack_into("<I", content, pages[-1][1], pages[0][0])
    path.write_bytes(content)
    with pytest.raises(ImageError, match="circles"):
        read_image(path)


def test_lost_pages_are_missed(tmp_path: Path) -> None:
    path = written(SAMPLES[0], tmp_path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, chain_of_pages(bytes(content))[1][1], 0)
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"announces \(3, 4, 5\)"):
        read_image(path)


def test_two_dimensional_page_is_transposed(tmp_path: Path) -> None:
    flat = marked((5, 4), (3, 1))
    tifffile.imwrite(tmp_path / "a.tif", np.ascontiguousarray(flat.T), photometric="minisblack")
    image = read_image(tmp_path / "a.tif")
    assert_array_equal(image.labels, flat)
    assert "[y, x]" in image.history[1]


def test_one_bit(tmp_path: Path) -> None:
    image_files.one_bit_tiff(tmp_path / "a.tif", marked() == 7)
    image = read_image(tmp_path / "a.tif")
    assert_array_equal(image.labels, marked() == 7)
    assert "1 bit" in image.history[0]


def test_folder_of_slices_in_natural_order(tmp_path: Path) -> None:
    stack = np.arange(12 * 3 * 2, dtype=np.uint8).reshape(12, 3, 2)
    for z in range(12):
        tifffile.imwrite(tmp_path / f"slice_{z}.tif", stack[z], photometric="minisblack")
    image = read_image(tmp_path)
    assert_array_equal(image.labels, stack.T)
    assert "12 slices" in image.history[0]
    tifffile.imwrite(tmp_path / "slice_5.tif", np.zeros((3, 3), np.uint8), photometric="minisblack")
    with pytest.raises(ImageError, match="different size"):
        read_image(tmp_path)


def test_detached_headers(tmp_path: Path) -> None:
    (tmp_path / "v.raw").write_bytes(np.ascontiguousarray(marked().T).tobytes())
    (tmp_path / "v.mhd").write_text(
        "NDims = 3\nDimSize = 5 4 3\nElementType = MET_UCHAR\nHeaderSize = -1\nElementDataFile = v.raw\n"
    )
    (tmp_path / "v.nhdr").write_text(
        "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 5 4 3\nencoding: raw\ndata file: v.raw\n"
    )
    for name in ("v.mhd", "v.nhdr"):
        image = read_image(tmp_path / name)
        assert_array_equal(image.labels, marked())
        assert image.grid.spacing is None
    (tmp_path / "v.raw").unlink()
    for name in ("v.mhd", "v.nhdr"):
        with pytest.raises(ImageError, match="not there"):
            read_image(tmp_path / name)


def test_headers_without_unit_mean_millimetres(tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    next(s for s in SAMPLES if s.name == "mha").write(path, marked())
    assert any("millimetres" in step for step in read_image(path).history)
    path.write_bytes(path.read_bytes().replace(b"0.001 0.002 0.003", b"1 1 1"))
    assert read_image(path).grid.spacing is None


def test_a_header_with_too_few_spacings_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.vti"
    next(s for s in SAMPLES if s.name == "vti-raw").write(path, marked())
    path.write_bytes(path.read_bytes().replace(b"1e-6 2e-6 3e-6", b"1e-6 2e-63e-6"))
    with pytest.raises(ImageError, match=r"spacings for 3 axes|cannot be read"):
        read_image(path)
    path.write_bytes(path.read_bytes().replace(b"2e-63e-6", b"2e-6"))
    with pytest.raises(ImageError, match="2 spacings for 3 axes"):
        read_image(path)


def test_raw_with_wrong_size_lists_what_fits(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(2 * 20**3))
    with pytest.raises(ImageError, match=r"20 x 20 x 20 with dtype uint16") as info:
        read_image(path, raw=RawLayout((20, 20, 20), "uint8"))
    assert "the given shape with dtype uint16" in str(info.value)
    assert "20 x 20 x 40 with dtype uint8" in str(info.value)
    path.write_bytes(bytes(1016))
    with pytest.raises(ImageError, match="offset of 16 bytes"):
        read_image(path, raw=RawLayout((10, 10, 10)))
    with pytest.raises(ImageError, match="no header"):
        read_image(path)


@pytest.mark.parametrize(
    "arguments",
    [
        ((5, 4, 0),),
        ((5,),),
        ((5, 4, 3), "colour"),
        ((5, 4, 3), "uint8", ByteOrder.LITTLE, "zyy"),
        ((5, 4, 3), "uint8", ByteOrder.LITTLE, "zyx", -1),
    ],
)
def test_impossible_raw_layouts(arguments: tuple) -> None:
    with pytest.raises(ImageError):
        RawLayout(*arguments)


def test_archives_need_a_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=marked(), two=marked() + 1)
    with pytest.raises(ImageError, match=r"one, two; name one, e\.g\. a\.npz:/one"):
        read_image(tmp_path / "a.npz")
    assert_array_equal(read_image(f"{tmp_path / 'a.npz'}:/two").labels, marked() + 1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/img"] = marked()
        file["other"] = np.zeros(3)
    for path in ("a.h5", "a.h5:/nope", "a.h5:/group", "a.h5:"):
        with pytest.raises(ImageError, match=r"Images in it: /group/img \(5, 4, 3\) uint8\."):
            read_image(f"{tmp_path / path}")
    assert_array_equal(read_image(f"{tmp_path / 'a.h5'}:/group/img").labels, marked())


def refused(path: Path, says: str, **options: object) -> None:
    with pytest.raises(ImageError, match=says) as info:
        read_image(path, **options)
    assert len(str(info.value)) < 400
    assert "\n" not in str(info.value)


def test_images_that_are_no_label_images(tmp_path: Path) -> None:
    np.save(tmp_path / "float.npy", np.full(SHAPE, 0.5))
    refused(tmp_path / "float.npy", "floating-point values .* threshold=T")
    np.save(tmp_path / "nan.npy", np.where(marked() == 7, np.nan, 1.0))
    refused(tmp_path / "nan.npy", "1 voxels that are not a number", threshold=[0.5])
    np.save(tmp_path / "complex.npy", np.full(SHAPE, 1j))
    refused(tmp_path / "complex.npy", "complex numbers")
    np.save(tmp_path / "text.npy", np.full(SHAPE, "a"))
    refused(tmp_path / "text.npy", "image needs integers")
    np.save(tmp_path / "object.npy", np.full(SHAPE, None), allow_pickle=True)
    refused(tmp_path / "object.npy", "not numbers")
    np.save(tmp_path / "four.npy", np.ones((2, 2, 2, 2), np.uint8))
    refused(tmp_path / "four.npy", "4 axes")
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    refused(tmp_path / "rgb.tif", "colour image")
    np.save(tmp_path / "grey.npy", np.arange(343, dtype=np.uint16).reshape(7, 7, 7))
    refused(tmp_path / "grey.npy", "more than 256 different values .* grey image")
    assert len(read_image(tmp_path / "grey.npy", max_labels=343).present) == 343
    np.save(tmp_path / "grey64.npy", np.arange(343, dtype=np.int64).reshape(7, 7, 7) - 5)
    refused(tmp_path / "grey64.npy", "more than 256 different values")


def test_files_that_are_none(tmp_path: Path) -> None:
    refused(tmp_path / "none.tif", "no file or folder")
    (tmp_path / "rock.tif").write_bytes(b"")
    refused(tmp_path / "rok.tif", "Did you mean rock.tif")
    refused(tmp_path / "rock.tif", "empty")
    refused(tmp_path / "no" / "folder.tif", "does not exist either")
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path / "notes.txt", "unknown ending '.txt'. Read are: .tif")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "holds no slices")
    for suffix in (".tif", ".npy", ".npz", ".vti", ".nrrd", ".mha", ".h5"):
        (tmp_path / f"junk{suffix}").write_bytes(b"This is no image at all, but some text.\n" * 9)
        refused(tmp_path / f"junk{suffix}", f"junk{suffix}")
    np.save(tmp_path / "a.npy", marked())
    refused(tmp_path / "a.npy", "not both", threshold=[1], otsu=2)
    refused(Path(str(tmp_path / "a\0.npy")), "null character")


@pytest.mark.parametrize(("name", "package"), [("tiff", "tifffile"), ("hdf5", "h5py")])
def test_a_missing_package_is_named(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = next(s for s in SAMPLES if s.name == name)
    path = written(sample, tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImageError, match=f"pip install {package}"):
        read_image(path, dataset=sample.dataset)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", marked())
    (tmp_path / "a.npy").chmod(0)
    refused(tmp_path / "a.npy", "permissions")


def test_images_larger_than_memory_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.zeros((100, 100, 100), np.uint8))
    monkeypatch.setattr("scalebridge.core.memory.available_bytes", lambda: 1_500_000)
    with pytest.raises(ResourceError, match=r"2 MB of memory, and 1\.5 MB are available"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 99999999, 99999999), }"),
        ("a.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (-5, 4, 3), }"),
        ("a.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (5000, 4000, 3000), }"),
        ("a.nrrd", "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 99999 99999 99999\nencoding: gzip\n\nabc"),
        ("a.nrrd", "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 5 -4 -3\nencoding: raw\n\nabc"),
        ("a.mha", "NDims = 3\nDimSize = 4000 4000 4000\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"),
    ],
)
def test_hostile_headers_do_not_allocate(name: str, header: str, tmp_path: Path) -> None:
    content = image_files.npy_with_header(header) if name.endswith("npy") else header.encode()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=r"truncated|no machine|at least one voxel"):
        read_image(tmp_path / name)


def test_the_header_alone_tells_shape_and_order(tmp_path: Path) -> None:
    stored = open_image(written(SAMPLES[0], tmp_path))
    assert (stored.shape, stored.order, stored.nbytes) == ((3, 4, 5), "zyx", 60)


@pytest.mark.parametrize(
    ("text", "ndim", "value"),
    [
        (None, 3, None),
        (2e-6, 2, (2e-6, 2e-6)),
        (1, 3, (1.0, 1.0, 1.0)),
        ("5.345 um", 3, (5.345e-6,) * 3),
        ("5.345um", 2, (5.345e-6,) * 2),
        ("1um,1um,2um", 3, (1e-6, 1e-6, 2e-6)),
        ("1, 1, 2 um", 3, (1e-6, 1e-6, 2e-6)),
        ("1e-6,1um", 2, (1.0 * 1e-12, 1e-6)),
        ((1e-6, 2e-6), 2, (1e-6, 2e-6)),
        ("1e-6", 3, (1e-6,) * 3),
    ],
)
def test_spacing(text: object, ndim: int, value: tuple | None) -> None:
    assert parse_spacing(text, ndim) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("5 GPa", UnitError, "a length"),
        ("5 parsec", UnitError, "Unknown unit"),
        ("0 um", SpacingError, "positive"),
        (-1.0, SpacingError, "positive"),
        ("1um,2um", SpacingError, "one per axis"),
        ((1.0, float("nan"), 1.0), SpacingError, "positive"),
        ("", UnitError, "number"),
    ],
)
def test_impossible_spacing(text: object, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        parse_spacing(text, 3)


def test_reference_images(data_dir: Path) -> None:
    berea = read_image(data_dir / "rock" / "berea_crop128_000.tif")
    assert berea.fractions[0] == pytest.approx(0.206915, abs=1e-6)
    assert berea.grid.spacing == pytest.approx((5.345e-6,) * 3)
    stored = tifffile.imread(data_dir / "rock" / "berea_crop128_000.tif")
    assert_array_equal(berea.labels[3, 5, :], stored[:, 5, 3])
    grains = read_image(data_dir / "polycrystal" / "damask_20grains64x64x64.vti")
    assert grains.present == tuple(range(20))
    assert grains.grid.spacing == pytest.approx((1 / 64,) * 3)
    spheres = read_image(f"{data_dir / 'spheres' / 'fans_sphere32.h5'}:/sphere/32x32x32/ms")
    assert spheres.fractions[1] == pytest.approx(0.266846, abs=1e-6)
    fibres = read_image(data_dir / "fibre" / "puma_fiberform_100_grey.tif", threshold=90)
    assert fibres.fractions[1] == pytest.approx(0.16714, abs=1e-9)
    assert read_grey(data_dir / "fibre" / "puma_fiberform_100_grey.tif").values.dtype == np.uint8


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this platform")
def test_pipes_and_broken_links_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(ImageError, match="neither a file nor a folder"):
        read_image(tmp_path / "pipe.npy")
    (tmp_path / "link.npy").symlink_to(tmp_path / "gone.npy")
    with pytest.raises(ImageError, match="link to a file that does not exist"):
        read_image(tmp_path / "link.npy")
