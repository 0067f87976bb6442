"""Runs the cases and writes the pages: python -m docs.verification [CASE ...] [--render]."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from docs.verification.record import data_folder, write_record

# In the order of the page.
CASES = (
    "laminates",
    "checkerboards",
    "relations",
    "arrays",
    "elastic_sphere",
    "voxel_codes",
    "electrode",
    "fibres",
    "rock",
    "bounds_only",
    "error_budget",
    "error_budget_others",
    "error_budget_elasticity",
    "error_budget_statistical",
    "representativity_statistics",
    "representativity_coverage",
    "representativity_images",
    "representativity_executors",
    "nonlinear_porous",
    "nonlinear_boundaries",
    "nonlinear_viscoelastic",
    "nonlinear_lattice",
    "nonlinear_polycrystal",
    "nonlinear_laminates",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.verification", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"default: all of {', '.join(CASES)}")
    parser.add_argument("--render", action="store_true", help="write the pages from the records, run nothing")
    options = parser.parse_args()
    unknown = sorted(set(options.cases) - set(CASES))
    if unknown:
        print(f"No case {', '.join(unknown)}. There are: {', '.join(CASES)}.", file=sys.stderr)
        return 2
    data = data_folder()
    for name in () if options.render else options.cases or CASES:
        begin = time.perf_counter()
        tables = importlib.import_module(f"docs.verification.{name}").tables(data)
        seconds = time.perf_counter() - begin
        write_record(name, tables, seconds)
        failed = [f"{t.title}: {r.quantity}" for t in tables for r in t.rows if r.held is False]
        count = sum(len(t.rows) for t in tables)
        print(f"{name}: {count} values in {seconds:.0f} s, {len(failed)} missed", flush=True)
        for line in failed:
            print(f"  missed: {line}", flush=True)
    from docs.verification.page import write_pages

    # The whole rock takes long and is run by its own script: only its record is shown.
    after = CASES.index("rock") + 1
    write_pages([*CASES[:after], "berea", *CASES[after:]])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
