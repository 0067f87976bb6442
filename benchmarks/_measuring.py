"""What all benchmarks share: fresh processes, peak memory, a description of the machine, records and tables.

A measurement is a plain function of a benchmark script that takes and returns what JSON can hold. `fresh` runs it in
a new interpreter with an empty compilation cache, so that import, compilation and peak memory are its own.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "records"
FIGURES = HERE.parent / "docs" / "figures"
_START = "SCALEBRIDGE_BENCHMARK_START"


def fresh(function: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """`function(**arguments)` in a new process; adds its wall and processor time from start to end."""
    script = Path(inspect.getfile(function))
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); "
        f"import {script.stem} as script; "
        f"print(json.dumps(script.{function.__name__}(**json.loads(sys.argv[2]))))"
    )
    return run_python(sys.executable, code, str(script.parent), json.dumps(arguments))


def run_python(python: str, code: str, *arguments: str) -> dict[str, Any]:
    """`code` in a new process of the interpreter `python`; the last line it prints is the result, as JSON."""
    with tempfile.TemporaryDirectory(prefix="scalebridge-benchmark-") as empty:
        # A cache left by an earlier run would hide the compilation.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION_CACHE")}
        environment["XDG_CACHE_HOME"] = empty
        environment[_START] = repr(time.time())
        begin, before = time.perf_counter(), os.times()
        done = subprocess.run(
            [python, "-c", code, *arguments], capture_output=True, text=True, check=False, env=environment
        )
        seconds, after = time.perf_counter() - begin, os.times()
    # Both cores busy with nothing else: processor time near twice the wall time in the compiled parts.
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise SystemExit(f"The measurement failed (exit code {done.returncode}):\n{done.stderr[-3000:]}")
    return {**json.loads(lines[-1]), "process_seconds": seconds, "processor_seconds": cpu}


def since_start() -> float:
    """Seconds since `fresh` started this process: interpreter, imports and compilation included."""
    return time.time() - float(os.environ.get(_START, time.time()))


def resident() -> tuple[int, int]:
    """Bytes this process holds now, and the most it has held so far (Linux)."""
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            found[name] = int(value.split()[0]) * 1024
    return found["VmRSS"], found["VmHWM"]


def machine() -> dict[str, Any]:
    """The processor, its cores that may be used, the memory. No host name."""
    cpu = "unknown"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = names[0] if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu, "cores": cores, "memory_gb": round(total / 1e9, 1)}


class Record:
    """Collects the rows of one benchmark and writes them to a JSON file, with machine, versions, date and load.

    The load of the machine before and after tells a reader whether anything else was running.
    """

    def __init__(self, name: str, targets: Mapping[str, Any]) -> None:
        from scalebridge.core.provenance import versions

        self.begin = time.perf_counter()
        self.content: dict[str, Any] = {
            "benchmark": name,
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "versions": versions(),
            "load_before": round(os.getloadavg()[0], 2),
            "targets": dict(targets),
            "rows": [],
        }

    def add(self, **row: Any) -> None:
        """One measured row; printed at once, so that a long benchmark shows what it has."""
        self.content["rows"].append(row)
        print("   ", ", ".join(f"{k} {show(v)}" for k, v in row.items()), flush=True)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.content["rows"]

    def write(self, path: Path | None = None, **more: Any) -> Path:
        """Write the record (default: records/<name>.json) with further entries, e.g. ratios."""
        path = path or RECORDS / f"{self.content['benchmark']}.json"
        self.content.update(more, seconds=round(time.perf_counter() - self.begin, 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.content, indent=1) + "\n")
        print(f"written: {path}", flush=True)
        return path


def show(value: Any) -> str:
    """A number with four digits, anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table with right-aligned columns."""
    cells = [[str(c) for c in columns]] + [[("-" if v is None else show(v)) for v in row] for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        print("  " + "  ".join(v.rjust(w) for v, w in zip(row, widths, strict=True)))
    print(flush=True)


def print_targets(judged: Sequence[Mapping[str, Any]]) -> None:
    """Every target with what was measured and whether it was met."""
    rows = [
        (j["target"], j["limit"], j["measured"], "met" if j["met"] else "NOT MET", j.get("peer", ""))
        for j in judged
    ]
    print_table("targets", ("target", "at most", "measured", "", "peer"), rows)


def judge(target: str, measured: float | None, limit: float, peer: str = "") -> dict[str, Any]:
    """One target with its verdict, as it goes into the record. `peer` says where the peer's figure is from."""
    met = measured is not None and measured <= limit
    return {"target": target, "limit": limit, "measured": measured, "met": met, "peer": peer}
