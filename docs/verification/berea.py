"""All 400^3 voxels of the Berea sandstone: formation factor along each axis, in one process with a memory record.

    python docs/verification/berea.py [--image FILE] [--size N] [--report FOLDER]

Writes docs/verification/records/berea.json after every axis, so that an interrupted run keeps what it has.
--size N runs the corner of N^3 voxels and writes nothing (a rehearsal). --report writes report.html of the last axis.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from docs.verification.record import Row, Table, data_folder, write_record
from docs.verification.rock import FILE, MEAN, PUBLISHED

from scalebridge import Conduction, OppositeFaces, homogenize, read_image, write_report
from scalebridge.cli.progress import LineProgress
from scalebridge.core.memory import format_bytes, peak_resident_bytes
from scalebridge.microstructure import crop

MEMORY_LIMIT = 24e9


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", type=Path)
    parser.add_argument("--size", type=int)
    parser.add_argument("--accuracy", type=float, default=0.01)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    folder = data_folder()
    path = options.image or (folder / FILE if folder else None)
    if path is None:
        print("No reference images: set SCALEBRIDGE_DATA to their folder, or give --image.", file=sys.stderr)
        return 2
    image = read_image(path, spacing="5.345 um")
    if options.size:
        image = crop(image, [0] * 3, [options.size] * 3)
    laws = {0: Conduction.isotropic(k=1.0), 255: Conduction.void()}
    shape = " x ".join(map(str, image.grid.shape))
    rows: list[Row] = []
    factors = []
    begin = time.perf_counter()
    for axis in range(3):
        start = time.perf_counter()
        result = homogenize(
            image, laws, boundary=OppositeFaces(axis), accuracy=options.accuracy, progress=LineProgress(10.0),
            throw=False,
        )  # fmt: skip
        seconds, peak = time.perf_counter() - start, peak_resident_bytes()
        factor = float(result.extra["formation_factor"])
        factors.append(factor)
        name = "xyz"[axis]
        note = (
            f"{seconds:.0f} s, peak {format_bytes(peak)}, {max(result.solver.iterations)} iterations; budget "
            f"{result.error.total:.1%}, mostly {result.error.largest.name if result.error.largest else 'nothing'}"
        )
        print(f"{shape}, along {name}: F = {factor:.3f} ({note})", flush=True)
        rows.append(Row(f"whole image {shape}, along {name}", factor, PUBLISHED[name], note=note))
        if not options.size:
            found = [*rows]
            if axis == 2:
                mean = sum(factors) / 3
                words = "the published mean, direct simulation by others; not the same scheme"
                found.append(Row(f"whole image {shape}, mean", mean, MEAN, note=words))
                found.append(Row("peak memory of the whole run, bytes", float(peak), MEMORY_LIMIT, 0.0, "<="))
            write_record(
                "berea", [Table("Berea, whole image", "", tuple(found))], time.perf_counter() - begin
            )
        if options.report and axis == 2:
            write_report(result, options.report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
