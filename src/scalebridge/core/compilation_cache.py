"""JAX's compiled programs kept on disk between processes, so that the second run starts at once.

Only the command line calls this: a library that changes another one's global settings at import is bad.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_MAX_BYTES = 1 << 29


def user_cache_folder() -> Path:
    """Where this platform keeps what a program may lose: XDG_CACHE_HOME, ~/Library/Caches, LOCALAPPDATA."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "scalebridge"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "scalebridge"
    if os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "scalebridge"
    return Path.home() / ".cache" / "scalebridge"


def enable_compilation_cache() -> Path | None:
    """Points JAX's persistent cache at the user's cache folder, unless the user has chosen one.

    A cache is a convenience: every failure to set it up gives None, and the run is only slower.
    """
    import jax

    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    try:
        folder = user_cache_folder() / "xla"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: no home folder
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Many small programs make up the start-up time: keep all that take longer than reading them back would.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    _prune(folder)
    return folder


def _prune(folder: Path) -> None:
    """Drops the programs that were not used for longest until the cache is within its limit."""
    try:
        entries = [(entry.stat().st_atime, entry.stat().st_size, entry) for entry in folder.iterdir()]
        excess = sum(size for _, size, _ in entries) - _MAX_BYTES
        for _, size, entry in sorted(entries, key=lambda item: item[0]):
            if excess <= 0:
                break
            entry.unlink(missing_ok=True)
            excess -= size
    except OSError:  # another process is pruning too
        return
