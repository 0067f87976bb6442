"""Fills the tables of README.md and docs/performance.md from the records of verification and benchmarks.

    python docs/readme_tables.py

A table stands between `<!-- table NAME -->` and `<!-- end -->`; what is between is replaced. Numbers are never typed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VERIFICATION = ROOT / "docs" / "verification" / "records"
BENCHMARKS = ROOT / "benchmarks" / "records"
PAGES = ("README.md", "docs/performance.md")
TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def verification(folder: Path = VERIFICATION) -> str:
    """One line per verified case: how many values were judged and held, and one of them as an example."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        for table in json.loads(path.read_text(encoding="utf-8"))["tables"]:
            known = [row for row in table["rows"] if row["ours"] is not None and row["reference"] is not None]
            if not known:
                continue
            judged = [row for row in known if row["asked"] is not None]
            held = sum(_held(row) for row in judged)
            # A value says more than a bound.
            example = min(judged or known, key=lambda row: row["relation"] != "=")
            verdict = f"{held} of {len(judged)}" if judged else "shown only"
            lines.append(
                f"| {table['title']} | {verdict} | {example['quantity']}: {_number(example['ours'])} | "
                f"{_number(example['reference'])} | {_difference(example)} |"
            )
    if not lines:
        return "No record yet: `make verify` writes them.\n"
    head = "| Case | Held | Example: ours | Reference | Difference |\n|---|---|---|---|---|\n"
    return head + "\n".join(lines) + "\n"


def peers(folder: Path = BENCHMARKS) -> str:
    """One line per target: what was asked, what was measured in the same run, and the peer's own figure."""
    lines = []
    for record in _benchmarks(folder):
        for entry in record.get("judged", []):
            verdict = "met" if entry["met"] else "**not met**"
            measured = "not measured" if entry["measured"] is None else _number(entry["measured"], 3)
            limit = _number(entry["limit"], 3)
            peer = entry.get("peer", "") or "–"
            lines.append(
                f"| {record['benchmark']}: {entry['target']} | {limit} | {measured} | {peer} | {verdict} |"
            )
    if not lines:
        return "No record yet: `make bench` writes them.\n"
    head = "| What | At most | Measured | Peer | |\n|---|---|---|---|---|\n"
    return head + "\n".join(lines) + "\n"


def machines(folder: Path = BENCHMARKS) -> str:
    """Where and when the benchmarks were run, and how busy the machine was."""
    lines = [
        f"| {record['benchmark']} | {record['date']} | {record['machine']['cpu']}, {record['machine']['cores']} cores, "
        f"{record['machine']['memory_gb']:g} GB | {record['load_before']:g} |"
        for record in _benchmarks(folder)
    ]
    if not lines:
        return "No record yet: `make bench` writes them.\n"
    head = "| Benchmark | Date | Machine | Load before |\n|---|---|---|---|\n"
    return head + "\n".join(lines) + "\n"


def memory(folder: Path = BENCHMARKS) -> str:
    """Peak memory per voxel, as the benchmark of memory measured it."""
    lines = [
        f"| {row['physics']} | {row['image']} | {row['size']}³ | {row['bytes_per_voxel']:.0f} | "
        f"{row['seconds']:.1f} s |"
        for record in _benchmarks(folder)
        if record["benchmark"] == "memory"
        for row in record["rows"]
    ]
    if not lines:
        return "No record yet: `make bench` writes them.\n"
    head = "| Physics | Image | Size | Bytes per voxel | Time |\n|---|---|---|---|---|\n"
    return head + "\n".join(lines) + "\n"


TABLES: dict[str, Callable[[], str]] = {
    "verification": verification,
    "peers": peers,
    "machines": machines,
    "memory": memory,
}


def filled(text: str) -> str:
    """The text with every table between its markers replaced by the present one."""

    def fill(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise SystemExit(f"There is no table {match[2]!r}; there are {', '.join(TABLES)}.")
        return f"{match[1]}\n{TABLES[match[2]]()}\n{match[3]}"

    return TABLE.sub(fill, text)


def _benchmarks(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [record for record in found if "benchmark" in record]


def _held(row: dict[str, Any]) -> bool:
    gap = (row["ours"] - row["reference"]) / (abs(row["reference"]) or 1.0)
    return bool({"=": abs(gap), ">=": -gap, "<=": gap}[row["relation"]] <= row["asked"])


def _difference(row: dict[str, Any]) -> str:
    gap = (row["ours"] - row["reference"]) / (abs(row["reference"]) or 1.0)
    return "bound" if row["relation"] != "=" else "< 1e-12" if abs(gap) < 1e-12 else f"{gap:+.1e}"


def _number(value: float, digits: int = 6) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def main() -> int:
    for name in PAGES:
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = filled(old)
        path.write_text(new, encoding="utf-8")
        print(f"{name}: {'tables renewed' if new != old else 'up to date'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
