"""Results kept by what they are results of, so that nothing is ever computed twice.

A key is the hash of everything the numbers depend on. An SQLite index says where an entry lies; its arrays lie in HDF5
files that are written under another name first and never changed afterwards. Whoever is killed, and whenever, leaves
at worst a file that no index row names; several processes may read and write one store at the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sqlite3
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np

from scalebridge.core.errors import OutputError
from scalebridge.core.files import replacing, writing

_BUSY_SECONDS = 60.0
_INDEX = "index.sqlite"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, file TEXT NOT NULL, digest TEXT NOT NULL, "
    "metadata TEXT NOT NULL) WITHOUT ROWID"
)


def content_key(**content: Any) -> str:
    """Hash of named plain data and arrays: equal exactly when everything is equal, whatever the order of the names.

    Numbers, text, booleans, None, lists, mappings with text keys, and NumPy arrays (their type, shape and bytes).
    Fails when: something else is given, whose identity nobody could tell (TypeError).
    """
    text = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return ["float", value.hex()]  # 1 and 1.0 differ, and no digit is lost
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        digest = hashlib.sha256(array.view(np.uint8).reshape(-1).data if array.size else b"").hexdigest()
        return ["array", array.dtype.str, list(array.shape), digest]
    if isinstance(value, Mapping):
        if not all(isinstance(k, str) for k in value):
            raise TypeError(f"The names of a mapping must be text, got {sorted(map(repr, value))[:3]}.")
        return {"mapping": {k: _plain(v) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return ["list", *[_plain(v) for v in value]]
    raise TypeError(f"Only plain data and arrays have a content key, got a {type(value).__name__}.")


class Entry(NamedTuple):
    """What was kept under a key: arrays by name, and plain data (JSON)."""

    key: str
    arrays: dict[str, np.ndarray]
    metadata: dict[str, Any]


class StoreStatistics(NamedTuple):
    """entries: keys in the index; files, bytes: payload files and what they take on disk."""

    entries: int
    files: int
    bytes: int


@final
class ContentStore:
    """Entries by content key in `folder` (made when missing).

    The first writer of a key wins: the others computed the same thing. A payload that is missing or damaged (its digest
    is in the index) is reported by a warning and treated as absent, so that it is computed and written again.
    Fails when: the folder cannot be written, the disk is full, or the index is no database (OutputError).
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        with writing(self.folder):
            (self.folder / "payload").mkdir(parents=True, exist_ok=True)
        with self._index() as index:
            # Readers go on while one process writes; file systems that cannot do that keep the default.
            index.execute("PRAGMA journal_mode=WAL")
            index.execute(_SCHEMA)

    def __contains__(self, key: str) -> bool:
        with self._index() as index:
            return index.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone() is not None

    def get(self, key: str) -> Entry | None:
        """The entry of `key`, or None when there is none that can be trusted."""
        with self._index() as index:
            row = index.execute("SELECT file, digest, metadata FROM entries WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        file, digest, metadata = row
        try:
            arrays = _read(self.folder / "payload" / file, key)
            if _digest(arrays) != digest:
                raise ValueError("its content has changed")
        except Exception as error:  # damaged HDF5 raises a zoo of types; any of them means: compute again
            warnings.warn(
                f"The stored entry {key[:12]} cannot be read ({error}); it is computed again.", stacklevel=2
            )
            self._forget(key)
            return None
        return Entry(key, arrays, json.loads(metadata))

    def put(self, key: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> None:
        """Keep one entry; see `put_many`."""
        self.put_many([Entry(key, dict(arrays), dict(metadata))])

    def put_many(self, entries: Iterable[Entry]) -> None:
        """Keep entries: one payload file for all of them, then their rows in one transaction."""
        chosen = list({entry.key: entry for entry in entries}.values())
        if not chosen:
            return
        import h5py

        name = f"{uuid.uuid4().hex}.h5"
        rows = []
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as payload:
            for entry in chosen:
                metadata = json.dumps(entry.metadata, allow_nan=False)
                arrays = {k: np.asarray(v) for k, v in entry.arrays.items()}
                group = payload.create_group(entry.key)
                group.attrs["metadata"] = metadata  # the index could be made again from the payload alone
                for label, array in arrays.items():
                    group.create_dataset(label, data=array)
                rows.append((entry.key, name, _digest(arrays), metadata))
        with replacing(self.folder / "payload" / name) as stream:
            stream.write(buffer.getbuffer())
        with self._index() as index:
            index.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)", rows)

    def keys(self) -> list[str]:
        """All keys, sorted."""
        with self._index() as index:
            return [row[0] for row in index.execute("SELECT key FROM entries ORDER BY key")]

    def statistics(self) -> StoreStatistics:
        """How much is kept."""
        files = list((self.folder / "payload").glob("*.h5"))
        return StoreStatistics(len(self.keys()), len(files), sum(f.stat().st_size for f in files))

    def recover(self) -> int:
        """Enter payload files that the index does not name (it was lost, or a writer was killed in between).

        Returns the number of entries gained. Unreadable files are left where they are, with a warning.
        """
        import h5py

        with self._index() as index:
            known = {row[0] for row in index.execute("SELECT DISTINCT file FROM entries")}
        before = len(self.keys())
        for path in sorted((self.folder / "payload").glob("*.h5")):
            if path.name in known:
                continue
            try:
                with h5py.File(path, "r") as payload:
                    described = {key: str(group.attrs["metadata"]) for key, group in payload.items()}
                rows = [(key, path.name, _digest(_read(path, key)), text) for key, text in described.items()]
            except Exception as error:  # as in `get`
                warnings.warn(f"The payload {path.name} cannot be read ({error}).", stacklevel=2)
                continue
            with self._index() as index:
                index.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)", rows)
        return len(self.keys()) - before

    def _forget(self, key: str) -> None:
        with self._index() as index:
            index.execute("DELETE FROM entries WHERE key = ?", (key,))

    @contextlib.contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for every use: none may cross a fork or a thread."""
        path = self.folder / _INDEX
        try:
            connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
            try:
                with connection:
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise OutputError(
                f"The index {path} cannot be used: {error}. If it is damaged, remove it and call recover(): the "
                "entries themselves are in the folder 'payload' beside it."
            ) from error


def _read(path: Path, key: str) -> dict[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as payload:
        return {name: np.asarray(dataset[()]) for name, dataset in payload[key].items()}


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    return content_key(**{name: np.asarray(array) for name, array in arrays.items()})
