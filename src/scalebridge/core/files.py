"""Writing files so that a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from scalebridge.core.errors import OutputError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than the file system or a limit allows; choose another folder",
    errno.EACCES: "writing there is not permitted; choose another folder or change its permissions",
    errno.EPERM: "writing there is not permitted; choose another folder or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
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
        stream.write(text.encode("utf-8"))
