"""What a long run remembers of itself, so that an interrupted one goes on where it stopped.

Solvers put named arrays under a key and ask for them before they compute; a store decides whether and where
they are kept.
"""

from __future__ import annotations

import abc
import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import final

import numpy as np

from scalebridge.core.files import replacing, writing


class AbstractStore(abc.ABC):
    """Arrays by key. What `get` returns is what `put` was given, or None."""

    @abc.abstractmethod
    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays put under `key`, or None when there are none that can be trusted."""

    @abc.abstractmethod
    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep `arrays` under `key`, in place of what was there."""


@final
class NullStore(AbstractStore):
    """Remembers nothing."""

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        return None

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        return None


@final
class DirectoryStore(AbstractStore):
    """One .npz per key in `folder`, written all or nothing; an unreadable entry is ignored with a warning.

    `restored` lists the keys that were found, for telling people what a resumed run could skip.
    Fails when: the folder cannot be written or the disk is full (OutputError).
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.restored: list[str] = []
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def path_of(self, key: str) -> Path:
        """Keys are free text: the file name keeps their letters for people and a hash for uniqueness."""
        words = "".join(c if c.isalnum() or c in "-_." else "-" for c in key)[:60]
        return self.folder / f"{words}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        path = self.path_of(key)
        if not path.exists():
            return None
        try:
            # The stream is ours: numpy leaves it open when the archive is damaged.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as entry:
                arrays = {name: entry[name] for name in entry.files}
        except (
            Exception
        ) as error:  # numpy and zipfile raise a zoo of types on damaged files; any of them means: recompute
            warnings.warn(
                f"The checkpoint {path.name} cannot be read ({error}); that part is computed again.",
                stacklevel=2,
            )
            return None
        self.restored.append(key)
        return arrays

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        with replacing(self.path_of(key)) as stream:
            np.savez(stream, **dict(arrays))  # type: ignore[arg-type]
