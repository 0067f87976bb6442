"""Writing files so that a reader sees the old content or the new one, never half of it.

`check_folder` and `check_file` find out before a long computation what would go wrong after it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from scalebridge.core.errors import OutputError
from scalebridge.core.memory import format_bytes

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than the file system or a limit allows; choose another folder",
    errno.EACCES: "writing there is not permitted; choose another folder or change its permissions",
    errno.EPERM: "writing there is not permitted; choose another folder or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "the folder does not exist; create it, or choose another",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.EEXIST: "a file of that name is in the way; choose another folder",
}


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turns operating-system errors of the block into an OutputError that names `path` and the remedy."""
    try:
        yield
    except OSError as error:
        code = error.errno if error.errno is not None else 0
        reason = _REASONS.get(code, error.strerror or str(error))
        raise OutputError(f"Cannot write {path}: {reason}.") from error


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[IO[bytes]]:
    """A temporary file beside `path` that takes its name when the block ends well, and vanishes otherwise.

    Fails when: the folder cannot be written or the disk is full (OutputError).
    """
    target = Path(path)
    with writing(target):
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        try:
            os.close(descriptor)
            with open(name, "wb") as stream:  # by name: some writers ask the stream for it
                yield stream
                stream.flush()
                # Without this a crash of the machine can leave the new name on an empty file.
                os.fsync(stream.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)  # mkstemp makes files private; results are not secrets
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def write_text(path: Path | str, text: str) -> None:
    """`text` as UTF-8 under the name `path`, all or nothing."""
    with replacing(path) as stream:
        # The name of a file may hold bytes that are no text; what mentions it must still be readable.
        stream.write(text.encode("utf-8", "replace"))


def check_folder(folder: Path | str, needed_bytes: int = 0) -> None:
    """Makes sure that `needed_bytes` can be written to `folder`, which need not exist yet. Leaves no trace.

    Fails when: it or the folder to make it in is not a folder or cannot be written, or the disk has less room
    (OutputError). A quota is noticed only when it is used up.
    """
    path = Path(folder).absolute()
    with writing(folder):
        while not path.exists() and path != path.parent:
            path = path.parent
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
        # Asking for permissions is not enough: the administrator has all of them, also on a read-only disk.
        with tempfile.TemporaryFile(dir=path, buffering=0) as probe:
            probe.write(bytes(4096))
        free = shutil.disk_usage(path).free
    if free < needed_bytes:
        raise OutputError(
            f"Cannot write to {folder}: about {format_bytes(needed_bytes)} are needed, and {format_bytes(free)} "
            "are free. Make room or choose another folder."
        )


def check_file(path: Path | str, *, force: bool = False, needed_bytes: int = 0) -> None:
    """Makes sure that a file of `needed_bytes` can be written under the name `path`, in a folder that exists.

    Fails when: the name is taken and `force` is not set, is that of a folder, or the file cannot be written
    (OutputError).
    """
    path = Path(path)
    with writing(path):
        if path.is_dir():
            raise OutputError(f"Cannot write {path}: it is a folder. Give the name of a file.")
        if path.exists() and not force:
            raise OutputError(f"{path} exists already. Choose another name, or overwrite with --force.")
        if not path.parent.exists():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
    check_folder(path.parent, needed_bytes)
