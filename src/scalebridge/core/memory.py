"""How much memory is there, how much was used, and does a run fit?"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from scalebridge.core.errors import ResourceError

_CGROUP = Path("/sys/fs/cgroup")
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def format_bytes(count: int | float) -> str:
    """`count` in decimal units with three digits: 1234567 -> "1.23 MB"."""
    value = float(count)
    for unit in _UNITS:
        if abs(value) < 999.5 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1000.0
    raise AssertionError("unreachable")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text().strip())
    except (OSError, ValueError):  # absent, or the word "max": no limit
        return None


def _cgroup_available(root: Path) -> int | None:
    """What a container may still take: limit minus use, counting reclaimable file cache as free."""
    for limit_name, usage_name in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        limit, usage = _number(root / limit_name), _number(root / usage_name)
        if limit is None or usage is None or limit >= 1 << 60:  # version 1 says "no limit" with a huge number
            continue
        reclaimable = 0
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in ((root / limit_name).parent / "memory.stat").read_text().splitlines():
                if line.startswith("inactive_file "):
                    reclaimable = int(line.split()[1])
        return max(0, limit - usage + reclaimable)
    return None


def _own_cgroup() -> Path:
    """The folder of this process's own control group (version 2), or the root when it cannot be told."""
    try:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                path = _CGROUP / line[3:].lstrip("/")
                return path if (path / "memory.max").exists() else _CGROUP
    except OSError:
        pass
    return _CGROUP


def _system_available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf(
            "SC_PHYS_PAGES"
        )  # no MemAvailable outside Linux: all there is
    except (ValueError, OSError, AttributeError):
        return None


def available_bytes() -> int | None:
    """Memory this process can still take: the smaller of what machine and container leave; None: unknown."""
    known = [value for value in (_system_available(), _cgroup_available(_own_cgroup())) if value is not None]
    return min(known) if known else None


def peak_resident_bytes() -> int:
    """The most memory this process has held so far (0 where the platform does not tell)."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        int(peak) if sys.platform == "darwin" else int(peak) * 1024
    )  # macOS counts bytes, the others kilobytes


def resident_bytes() -> int:
    """The memory this process holds now (0 where the platform does not tell)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def check_fits(
    estimate: int | float, what: str, remedy: str = "Crop or coarsen the image, or use a larger machine."
) -> None:
    """Raises ResourceError when `estimate` bytes for `what` exceed what is available (if known)."""
    available = available_bytes()
    if available is not None and estimate > available:
        raise ResourceError(
            f"{what} needs about {format_bytes(estimate)} of memory, and {format_bytes(available)} are "
            f"available. {remedy}"
        )
