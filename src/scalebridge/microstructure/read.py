"""Reading images: from a file of any known format to labels or grey values on a grid, as [x, y, z]."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from scalebridge.core.errors import ImageError, ResourceError, ScalebridgeError
from scalebridge.core.memory import check_fits, format_bytes
from scalebridge.core.units import format_quantity
from scalebridge.grid import GreyImage, PhaseImage, VoxelGrid
from scalebridge.microstructure.formats import ALL_FORMATS, AbstractImageFormat, ReadRequest, StoredImage
from scalebridge.microstructure.raw_layout import RawLayout
from scalebridge.microstructure.segment import otsu_segment, threshold_segment
from scalebridge.microstructure.spacing import Spacing, parse_spacing

MAX_DISTINCT_LABELS = 256
_CHUNK = 1 << 22
_T = TypeVar("_T")


def read_image(
    path: str | Path,
    *,
    spacing: Spacing = None,
    axes: str | None = None,
    dataset: str | None = None,
    raw: RawLayout | None = None,
    threshold: Sequence[float | int] | float | int | None = None,
    otsu: int | None = None,
    max_labels: int = MAX_DISTINCT_LABELS,
) -> PhaseImage:
    """The labels of an image file (or a folder of TIFF slices), or its grey values segmented as asked.

    path: may name a dataset, "file.h5:/path". spacing: metres, text with a unit, one or one per axis;
    default: what the file's header says, else unknown. axes: names of the stored axes, slowest first
    ("zyx"), overrides the format's. threshold: T1 < T2 < ... give labels 0 (grey < T1), 1 (T1 <= grey < T2),
    2, ...; otsu: number of classes. max_labels: more distinct values than this are taken for a grey image
    that somebody forgot to segment. Fails when: the file is missing, damaged, in colour, complex or
    floating-point (ImageError), has grey values but neither threshold nor otsu is given (ImageError), or
    does not fit into memory (ResourceError).
    """
    if threshold is not None and otsu is not None:
        raise ImageError("Give either thresholds or a number of Otsu classes, not both.")
    if threshold is not None or otsu is not None:
        grey = read_grey(path, spacing=spacing, axes=axes, dataset=dataset, raw=raw)
        if otsu is not None:
            return otsu_segment(grey, otsu)
        given = [threshold] if isinstance(threshold, (int, float)) else list(threshold or ())
        return threshold_segment(grey, given)
    values, grid, history = _read(path, spacing, axes, dataset, raw)
    where = split_dataset(path)[0].name
    if values.dtype.kind == "f":
        raise ImageError(
            f"{where} holds floating-point values ({values.dtype}), not labels. Segment it on reading: "
            "threshold=T (--threshold T) or otsu=2."
        )
    values, note = _compact(values)
    _check_labels(values, max_labels, where)
    return PhaseImage(values, grid, (*history, note) if note else history)


def read_grey(
    path: str | Path,
    *,
    spacing: Spacing = None,
    axes: str | None = None,
    dataset: str | None = None,
    raw: RawLayout | None = None,
) -> GreyImage:
    """The grey values of an image file; arguments and failures as for `read_image`; NaN is refused."""
    values, grid, history = _read(path, spacing, axes, dataset, raw)
    if values.dtype.kind == "f":
        flat = values.reshape(-1)
        bad = sum(
            int(np.count_nonzero(~np.isfinite(flat[start : start + _CHUNK])))
            for start in range(0, flat.size, _CHUNK)
        )
        if bad:
            raise ImageError(
                f"{Path(path).name} holds {bad} voxels that are not a number or infinite. Replace them first."
            )
    return GreyImage(values, grid, history)


def split_dataset(path: str | Path) -> tuple[Path, str | None]:
    """ "file.h5:/path" -> (file.h5, "/path"); a path without a dataset comes back as it is."""
    match = re.fullmatch(
        r"(.+\.(?:h5|hdf5|hdf|he5|nxs|npz|vti)):(/?[^:]*)", str(path), re.IGNORECASE | re.DOTALL
    )
    return (Path(match[1]), match[2]) if match else (Path(path), None)


def open_image(path: str | Path, *, dataset: str | None = None, raw: RawLayout | None = None) -> StoredImage:
    """The header of an image file: shape, type, stored order, spacing; no voxel is loaded. Fails like
    `read_image`.
    """
    if "\0" in str(path):
        raise ImageError("The path holds a null character.")
    file, named = split_dataset(path)
    return _guarded(file, lambda: _open(file, dataset or named, raw))


def _guarded(file: Path, action: Callable[[], _T]) -> _T:
    """Parsers of third parties and damaged files may raise anything; a user gets one clear message."""
    try:
        return action()
    except ScalebridgeError:
        raise
    except MemoryError as error:
        raise ResourceError(f"{file.name} does not fit into memory.") from error
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {file}.") from error
    except PermissionError as error:
        raise ImageError(f"{file} may not be read: check its permissions.") from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ImageError(
            f"{file.name} cannot be read: {reason}. Is it complete and of the right format?"
        ) from error


def _open(file: Path, dataset: str | None, raw: RawLayout | None) -> StoredImage:
    if file.is_symlink() and not file.exists():
        raise ImageError(f"{file} is a link to a file that does not exist.")
    if not file.exists():
        raise ImageError(f"There is no file or folder {file}.{_similar(file)}")
    if not (file.is_file() or file.is_dir()):  # a pipe or a device: reading it could wait for ever
        raise ImageError(f"{file} is neither a file nor a folder. Write the image to a file first.")
    if file.is_file() and file.stat().st_size == 0:
        raise ImageError(f"{file.name} is empty (0 bytes).")
    return _format_of(file, raw).open(ReadRequest(file, dataset, raw))


def _similar(file: Path) -> str:
    import difflib

    if not file.parent.is_dir():
        return f" The folder {file.parent} does not exist either."
    close = difflib.get_close_matches(file.name, [p.name for p in file.parent.iterdir()], n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _format_of(file: Path, raw: RawLayout | None) -> AbstractImageFormat:
    suffix = ".tif" if file.is_dir() else ".raw" if raw is not None else file.suffix.lower()
    for one in ALL_FORMATS:
        if suffix in one.suffixes:
            return one
    known = ", ".join(name for one in ALL_FORMATS for name in one.suffixes)
    raise ImageError(
        f"{file.name} has the unknown ending {suffix!r}. Read are: {known}, and folders of TIFF slices."
    )


def _printable(name: str) -> str:
    """A name that holds bytes which are no text, such that it can be printed and kept in a history."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _axes(stored: StoredImage, axes: str | None, where: str) -> str:
    expected = "xyz"[: len(stored.shape)]
    if len(stored.shape) not in (2, 3):
        raise ImageError(
            f"{where} has {len(stored.shape)} ax{'i' if len(stored.shape) == 1 else 'e'}s, shape {stored.shape}; "
            "an image has 2 or 3."
        )
    order = stored.order if axes is None else axes.lower()
    if sorted(order) != sorted(expected):
        raise ImageError(
            f"axes={axes!r} does not fit {where}, whose stored shape is {stored.shape}: "
            f"give each of {', '.join(expected)} once, slowest first, e.g. {expected[::-1]!r}."
        )
    return order


def _read(
    path: str | Path, spacing: Spacing, axes: str | None, dataset: str | None, raw: RawLayout | None
) -> tuple[np.ndarray, VoxelGrid, tuple[str, ...]]:
    stored = open_image(path, dataset=dataset, raw=raw)
    file = split_dataset(path)[0]
    where = _printable(file.name)
    order = _axes(stored, axes, where)
    if stored.dtype.kind not in "buif":
        kind = "complex numbers" if stored.dtype.kind == "c" else f"{stored.dtype}"
        raise ImageError(f"{where} holds {kind}; an image needs integers or real grey values.")
    given = parse_spacing(spacing, len(stored.shape))
    check_fits(2.0 * stored.nbytes, f"Reading {where} ({' x '.join(map(str, stored.shape))} {stored.dtype})")
    values = _guarded(file, stored.load)
    if values.shape != stored.shape or values.dtype.kind != stored.dtype.kind:
        raise ImageError(
            f"{where} announces {stored.shape} {stored.dtype} and holds {values.shape} {values.dtype}."
        )
    to_xyz = [order.index(name) for name in "xyz"[: values.ndim]]
    values = np.ascontiguousarray(values.transpose(to_xyz))
    values = (
        values.view(np.uint8)
        if values.dtype == bool
        else values.astype(values.dtype.newbyteorder("="), copy=False)
    )
    source = "given by the caller"
    if given is None and stored.spacing is not None:
        given, source = tuple(stored.spacing[i] for i in to_xyz), f"from {stored.spacing_source}"
    grid = VoxelGrid(values.shape, given)
    return values, grid, _history(where, stored, order, axes is not None, grid, source)


def _history(
    where: str, stored: StoredImage, order: str, overridden: bool, grid: VoxelGrid, source: str
) -> tuple[str, ...]:
    names = ", ".join(order)
    lengths = " x ".join(map(str, stored.shape))
    notes = f" ({'; '.join(stored.notes)})" if stored.notes else ""
    read = f"read {where} as {stored.format}{notes}: {stored.dtype.name}, {format_bytes(stored.nbytes)}"
    how = "as told by the caller" if overridden else "the format's order"
    words = f"stored as [{names}] of {lengths} ({how})"
    if order != "xyz"[: len(order)]:
        words += f", transposed to [{', '.join('xyz'[: len(order)])}] of {' x '.join(map(str, grid.shape))}"
    steps = [read, words]
    if grid.spacing is None:
        return (*steps, "voxel spacing unknown")
    text = " x ".join(format_quantity(h, "m") for h in grid.spacing)
    return (*steps, f"voxel spacing {text}, {source}")


def _compact(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Wide integers that fit into one or two bytes take a quarter of the memory there."""
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return values, ""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        return values, ""
    target = np.dtype(np.uint8 if high < 256 else np.uint16)
    return values.astype(target), f"labels stored as {values.dtype.name} kept as {target.name}"


def _check_labels(values: np.ndarray, limit: int, where: str) -> None:
    flat = values.reshape(-1)
    seen = np.empty(0, values.dtype)
    narrow = values.dtype.kind == "u" and values.dtype.itemsize <= 2
    for start in range(0, flat.size, _CHUNK):
        chunk = flat[start : start + _CHUNK]
        new = np.flatnonzero(np.bincount(chunk)).astype(values.dtype) if narrow else np.unique(chunk)
        seen = np.union1d(seen, new)
        if len(seen) > limit:
            raise ImageError(
                f"{where} holds more than {limit} different values ({seen[0]} ... {seen[-1]}): it looks like "
                "a grey image. Segment it on reading: threshold=T (--threshold T) or otsu=2; if these really "
                "are that many phases, say max_labels."
            )
