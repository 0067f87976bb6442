"""JAX's compiled programs kept on disk between processes, so that the second run starts at once.

Nothing happens at import: a library that changes another one's global settings unasked is bad. The command line
asks; a script asks with one line, `scalebridge.enable_compilation_cache()`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scalebridge.core.files import check_folder, writing

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


def enable_compilation_cache(folder: Path | str | None = None) -> Path | None:
    """Keeps compiled programs on disk, so that the next process need not compile them again. Returns the folder.

    folder: made if it is missing, never emptied. If left out: what JAX_COMPILATION_CACHE_DIR or JAX's own setting
    names, else the user's cache folder, kept below 0.5 GB. Call it before the first `homogenize`; JAX is loaded
    and its settings are changed for the whole process.
    Fails when: the `folder` given cannot be written (OutputError). Without one every failure gives None, and the
    run is only slower: a cache is a convenience.
    """
    import jax

    if folder is not None:
        chosen = Path(folder).absolute()
        check_folder(chosen)
        with writing(chosen):
            chosen.mkdir(parents=True, exist_ok=True)
        _use(chosen)
        return chosen
    already = os.environ.get("JAX_COMPILATION_CACHE_DIR") or jax.config.values.get(
        "jax_compilation_cache_dir"
    )
    if already:
        return Path(already)
    try:
        own = user_cache_folder() / "xla"
        own.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: no home folder
        return None
    if not os.access(own, os.W_OK):
        return None
    _use(own)
    _prune(own)
    return own


def _use(folder: Path) -> None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Many small programs make up the start-up time: keep all that take longer than reading them back would.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    compilation_cache.reset_cache()  # JAX looks for a cache once, at its first compilation


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
