"""Runs every benchmark of this folder once, one after the other: python -m benchmarks [NAME ...]."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    scripts = sorted(path for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    chosen = [path for path in scripts if not names or path.stem in names]
    unknown = set(names) - {path.stem for path in scripts}
    if unknown:
        print(f"No benchmark {', '.join(sorted(unknown))}. There are: {', '.join(p.stem for p in scripts)}.")
        return 2
    failed = []
    for path in chosen:
        print(f"== {path.stem}", flush=True)
        # A process each: compilation and memory peaks of one must not show in the next.
        if subprocess.run([sys.executable, str(path)], check=False).returncode != 0:
            failed.append(path.stem)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
