"""What a path remembers of itself, and how a memory of something else is told from it.

Every increment is kept under its own key before the place from which the next one starts: whatever moment a run is
killed at, the rows up to that place are there, and what comes after is computed again from the same bits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, final

import numpy as np

from scalebridge.core.checkpoint import AbstractStore
from scalebridge.core.errors import InputError
from scalebridge.homogenize.path.result import PathFields, PathIncrement

PLACE, _WHOSE = "place", "whose"
_INTEGERS = ("number", "leg", "cuts")
_NUMBERS = ("time", "dt", "work", "hill_mandel", "turnover")
_ENERGIES = ("stored", "dissipated", "unbalanced")
_MAYBE = (*_ENERGIES, "tangent")
_ARRAYS = ("drive", "flux", "residuals", "krylov", "phase_drive", "phase_flux")


@final
class MemoryStore(AbstractStore):
    """Keeps everything for as long as it lives."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, np.ndarray]] = {}

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        return self._entries.get(key)

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        self._entries[key] = {name: np.array(value) for name, value in arrays.items()}


def fingerprint(parts: Mapping[str, Any]) -> dict[str, str]:
    """A hash of each part of what is computed, by its name in words."""
    return {
        name: hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]
        for name, value in parts.items()
    }


@final
@dataclasses.dataclass(eq=False)
class PathStore(AbstractStore):
    """Rows and fields of a path in another store, under keys that begin with `prefix`.

    What `put` is given as the place is held back until `commit`. Not immutable: it is where the run writes.
    """

    store: AbstractStore
    whose: Mapping[str, str]
    prefix: str = ""
    _held: dict[str, np.ndarray] | None = None

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Fails when: what is there belongs to something else (InputError)."""
        arrays = self.store.get(self.prefix + key)
        if arrays is None:
            return None
        arrays = dict(arrays)
        self._require_own(arrays.pop(_WHOSE, None))
        return arrays

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        if key == PLACE:
            self._held = dict(arrays)
        else:
            self._put(key, arrays)

    def commit(self) -> None:
        """The increment is measured and kept: go on from its end."""
        if self._held is not None:
            self._put(PLACE, self._held)
            self._held = None

    def known(self) -> tuple[PathIncrement, ...]:
        """The increments up to the place that was reached. Fails as `get`."""
        place = self.get(PLACE)
        if place is None:
            return ()
        rows = []
        for number in range(1, int(place["position"][1]) + 1):
            arrays = self.get(_row_key(number))
            if arrays is None:
                raise InputError(
                    f"The kept state of this path lacks its increment {number}: files were removed or damaged. "
                    "Start again in another folder, or overwrite with --force."
                )
            rows.append(_row(arrays))
        return tuple(rows)

    def keep_row(self, row: PathIncrement) -> None:
        values = {name: getattr(row, name) for name in (*_INTEGERS, *_NUMBERS, *_ARRAYS, *_MAYBE)}
        arrays = {name: np.asarray(value) for name, value in values.items() if value is not None}
        self._put(_row_key(row.number), arrays)

    def keep_fields(self, fields: PathFields) -> None:
        arrays = {"primary": fields.primary, "drive": fields.drive, "flux": fields.flux}
        arrays |= {f"internal {name}": value for name, value in fields.internal.items()}
        arrays["time"] = np.asarray(fields.time)
        self._put(_fields_key(fields.number), arrays)

    def fields(self, number: int) -> PathFields | None:
        arrays = self.get(_fields_key(number))
        if arrays is None:
            return None
        internal = {
            name.removeprefix("internal "): value
            for name, value in arrays.items()
            if name.startswith("internal ")
        }
        return PathFields(
            number, float(arrays["time"]), arrays["primary"], arrays["drive"], arrays["flux"], internal
        )

    def _put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        whose = np.frombuffer(json.dumps(dict(self.whose)).encode(), np.uint8)
        self.store.put(self.prefix + key, {**arrays, _WHOSE: whose})

    def _require_own(self, whose: np.ndarray | None) -> None:
        try:
            found = json.loads(bytes(np.asarray(whose, np.uint8))) if whose is not None else {}
        except (ValueError, TypeError):
            found = {}
        if found == dict(self.whose):
            return
        different = [name for name, digest in self.whose.items() if found.get(name) != digest]
        which = ", ".join(different) if found else "unknown origin"
        raise InputError(
            f"The kept state is that of another path (different: {which}). Go on with what it was made for, choose "
            "another folder, or overwrite it with --force."
        )


def _row_key(number: int) -> str:
    return f"increment {number}"


def _fields_key(number: int) -> str:
    return f"fields {number}"


def _row(arrays: Mapping[str, np.ndarray]) -> PathIncrement:
    values: dict[str, Any] = {name: int(arrays[name]) for name in _INTEGERS}
    values |= {name: float(arrays[name]) for name in _NUMBERS}
    values |= {name: float(arrays[name]) if name in arrays else None for name in _ENERGIES}
    values |= {name: arrays[name] for name in _ARRAYS}
    return PathIncrement(**values, tangent=arrays.get("tangent"))


@final
class FieldSeries(Mapping[int, PathFields]):
    """Fields by number of the increment, read from a store when they are looked up."""

    def __init__(self, store: PathStore, numbers: tuple[int, ...]) -> None:
        self._store, self._numbers = store, numbers

    def __getitem__(self, number: int) -> PathFields:
        found = self._store.fields(number) if number in self._numbers else None
        if found is None:
            raise KeyError(number)
        return found

    def __iter__(self) -> Any:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def increments_kept(store: AbstractStore) -> int:
    """The last increment of whatever path the store keeps; 0 where it keeps none."""
    place = store.get(PLACE)
    return int(place["position"][1]) if place is not None and "position" in place else 0
