"""Fields in files instead of memory: read and written in pieces, mapped, let go of; results stay what they were."""

from __future__ import annotations

import gc
import mmap
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from scalebridge import Conduction, homogenize
from scalebridge.cell import streamed_bound
from scalebridge.cell.scratch import ScratchArray, ScratchFolder, let_go_of_pages, mapped_array
from scalebridge.core import heap
from scalebridge.core.memory import resident_bytes
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize import bracket, cells, localization

LAWS = {0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=8.0)}


def blobs(n: int = 12) -> PhaseImage:
    rng = np.random.default_rng(5)
    labels = np.repeat(np.repeat(np.repeat(rng.integers(0, 2, (n // 2,) * 3), 2, 0), 2, 1), 2, 2)
    return PhaseImage(labels.astype(np.uint8), VoxelGrid(labels.shape))


def test_planes_are_written_and_read_in_place() -> None:
    values = np.random.default_rng(0).normal(size=(2, 5, 3, 4))
    stored = ScratchArray(ScratchFolder(), "field.raw", values)
    np.testing.assert_array_equal(stored.planes(1, 4), values[:, 1:4])
    values[:, 2:4] = -1.0
    stored.write_planes(2, values[:, 2:4])
    np.testing.assert_array_equal(np.asarray(stored), values)


def test_a_scratch_file_cut_short_is_noticed() -> None:
    stored = ScratchArray(ScratchFolder(), "field.raw", np.ones((1, 4, 4, 4)))
    os.truncate(stored.path, 100)
    with pytest.raises(OSError, match="shorter than what was written"):
        stored.planes(0, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="pages are counted and let go on Linux only")
def test_mapped_arrays_keep_their_values_but_not_their_memory() -> None:
    before = resident_bytes()
    array = mapped_array((4, 1000, 1000), np.float32)
    array[...] = np.arange(1000, dtype=np.float32)
    assert resident_bytes() - before > 12e6
    let_go_of_pages(array[1])  # any view leads to the map
    assert resident_bytes() - before < 4e6
    assert array[3, 7, 999] == 999.0
    let_go_of_pages(np.ones(3))


def test_mapped_arrays_leave_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = mapped_array((10, 10), np.float64)
    array[...] = 2.0
    del array
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_without_room_on_the_disk_arrays_lie_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    array = mapped_array((3, 4), np.float32)
    array[...] = 1.0
    assert not isinstance(array.base, mmap.mmap)
    assert array.sum() == 12.0


def test_fields_and_loads_in_files_are_those_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = homogenize(blobs(), LAWS, fields=True)
    monkeypatch.setattr(cells, "SPILL_BYTES", 0.0)
    monkeypatch.setattr(localization, "SPILL_BYTES", 0.0)
    found = homogenize(blobs(), LAWS, fields=True)
    np.testing.assert_array_equal(found.value, expected.value)
    assert len(found.fields) == 3
    for ours, theirs in zip(found.fields, expected.fields, strict=True):
        for name in ("primary", "drive", "flux", "energy"):
            np.testing.assert_array_equal(getattr(ours, name).values, getattr(theirs, name).values)


def test_the_bracket_of_a_large_image_holds_no_fluxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the threshold the streamed bound is taken: weaker than the descent's, still below the value."""
    expected = homogenize(blobs(), LAWS)
    called: list[object] = []

    def counted(*arguments: object) -> object:
        called.append(arguments)
        return streamed_bound.streamed_flux_bound(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bracket, "BESIDE_UP_TO", 0)
    monkeypatch.setattr(bracket, "streamed_flux_bound", counted)
    found = homogenize(blobs(), LAWS)
    assert len(called) == 1
    assert found.bracket is not None
    assert expected.bracket is not None
    np.testing.assert_array_equal(found.bracket.upper, expected.bracket.upper)
    for smaller, larger in (
        (found.bracket.lower, expected.bracket.lower),
        (expected.bracket.lower, found.bracket.upper),
    ):
        assert np.linalg.eigvalsh(larger - smaller)[0] > 0
    assert found.bracket.lower[0, 0] > 0.8 * found.bracket.upper[0, 0]


def test_freed_memory_is_given_back_where_the_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    heap.release_freed_memory()
    monkeypatch.setattr(sys, "platform", "plan9")
    heap._trim.cache_clear()
    heap.release_freed_memory()
    assert heap._trim() is None
    heap._trim.cache_clear()
