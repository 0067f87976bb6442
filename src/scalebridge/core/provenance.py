"""Where a result came from: what one must know to repeat it, and to trust that it was repeated."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGES = ("scalebridge", "numpy", "scipy", "jax", "jaxlib", "equinox", "lineax", "optimistix", "diffrax")
_CHUNK = 1 << 22


def file_sha256(path: Path | str) -> str:
    """Hash of a file's content, or of a folder's files in the order of their names (a stack of slices)."""
    path = Path(path)
    digest = hashlib.sha256()
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file())
    for file in files:
        if path.is_dir():
            digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Installed versions of the packages that the numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def device_names() -> list[str]:
    """What computes, in words. Looks at JAX only when it is loaded: asking would load it."""
    if "jax" not in sys.modules:
        return [f"cpu ({os.cpu_count()} cores)"]
    import jax

    return [f"{d.platform}: {d.device_kind}" for d in jax.devices()]


def collect(
    inputs: Mapping[str, Path | str] | None = None, settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Versions, platform, device, hashes of `inputs` (by role) and `settings`, with the time in UTC.

    No host name, user name or absolute path is recorded: a result may be published with its provenance.
    Fails when: an input cannot be read (OSError).
    """
    return {
        "time_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "processors": os.cpu_count(),
        },
        "devices": device_names(),
        "inputs": {
            role: {"name": Path(path).name, "sha256": file_sha256(path)}
            for role, path in (inputs or {}).items()
        },
        "settings": dict(settings or {}),
    }
