"""Writes docs/generators.md and its picture: every generator, what it aims at, what a draw costs.

    python docs/generators_page.py                                the page and the picture
    python docs/generators_page.py --measure 128 256              time and memory anew, each draw in its own process
    python docs/generators_page.py --measure 512 voronoi-mosaic   of some generators only

What was measured stands in docs/generators.json.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import scipy.ndimage

from scalebridge.core.memory import peak_resident_bytes, resident_bytes
from scalebridge.grid.palette import phase_rgb
from scalebridge.microstructure.generators import (
    ALL_GENERATORS,
    Checkerboard,
    CurvedFibres,
    EllipsoidPacking,
    Gaussian,
    GaussianLevelCut,
    Gyroid,
    LaguerrePolycrystal,
    Laminate,
    MinimalSurfaceLattice,
    Octet,
    OverlappingSpheres,
    PowerLaw,
    SpherePacking,
    StraightFibres,
    StrutLattice,
    TwoPointReconstruction,
    VoronoiMosaic,
    VoronoiPolycrystal,
)
from scalebridge.microstructure.generators.generator import AbstractGenerator

HERE = Path(__file__).resolve().parent
RECORD, PICTURE, PAGE = HERE / "generators.json", HERE / "figures" / "generators.png", HERE / "generators.md"
PLANAR = ((0.475, 0.0, 0.0), (0.0, 0.475, 0.0), (0.0, 0.0, 0.05))
LEFT_OUT = {"two-point-reconstruction": 128}  # largest size that is measured by default: it iterates


def material(name: str, n: int, size: float) -> AbstractGenerator:
    """An example in n^3 voxels, its structure about `size` voxels wide (lattices and layers: a fixed part of n)."""
    shape = (n, n, n)
    made = {
        "sphere-packing": lambda: SpherePacking(shape, 0.5, size / 2),
        "ellipsoid-packing": lambda: EllipsoidPacking(
            shape, 0.4, (0.8 * size, 0.4 * size, 0.4 * size), separate=n**3 * 0.75 < 4000 * size**3
        ),
        "overlapping-spheres": lambda: OverlappingSpheres(shape, size / 2, 0.4),
        "straight-fibres": lambda: StraightFibres(shape, 0.2, size / 5, 4 * size, PLANAR),
        "curved-fibres": lambda: CurvedFibres(
            shape, 0.15, size / 5, 8 * size, persistence=12.0, faithfulness=1.0
        ),
        "laminate": lambda: Laminate(shape, (0.25, 0.5, 0.25), period=n // 4),
        "checkerboard": lambda: Checkerboard(shape, n // 8, random=True),
        "voronoi-mosaic": lambda: VoronoiMosaic(shape, size**3),
        "gaussian-level-cut": lambda: GaussianLevelCut(shape, 0.4, Gaussian(size / 4)),
        "voronoi-polycrystal": lambda: VoronoiPolycrystal(shape, (1.3 * size) ** 3),
        "laguerre-polycrystal": lambda: LaguerrePolycrystal(shape, (1.3 * size) ** 3),
        "minimal-surface-lattice": lambda: MinimalSurfaceLattice(shape, Gyroid(), 0.3, n / 2),
        "strut-lattice": lambda: StrutLattice(shape, Octet(), n / 2, fraction=0.15),
        "two-point-reconstruction": lambda: TwoPointReconstruction(
            shape,
            SpherePacking((n // 2,) * 3, 0.3, size / 2).realize(1).image,
            reference_periodic=True,
            reach=round(size),
        ),
    }
    return made[name]()


def measure_one(name: str, n: int) -> dict[str, Any]:
    """One draw: processor seconds of all threads, and bytes per voxel beyond what the process held before."""
    import scipy.fft
    import scipy.sparse.linalg
    import scipy.spatial  # noqa: F401

    many_grains = "polycrystal" in name and n > 300
    generator = material(name, n, 32.0 if many_grains else 16.0)
    before = resident_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start, clock = time.process_time(), time.perf_counter()
    generator.realize(1)
    return {
        "generator": name,
        "size": n,
        "processor_seconds": time.process_time() - start,
        "seconds": time.perf_counter() - clock,
        "bytes_per_voxel": (peak_resident_bytes() - before) / n**3,
        "estimated_bytes_per_voxel": generator.estimate_bytes() / n**3,
    }


def measure(sizes: list[int], names: list[str]) -> None:
    """Each draw in a fresh process; results replace those of the same generator and size."""
    rows = json.loads(RECORD.read_text("utf-8"))["rows"] if RECORD.exists() else []
    for n in sizes:
        for name in names or [name for name in ALL_GENERATORS if n <= LEFT_OUT.get(name, n)]:
            command = [sys.executable, __file__, "--one", name, str(n)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(json.dumps(found), flush=True)
            rows = [row for row in rows if (row["generator"], row["size"]) != (name, n)] + [found]
            order = list(ALL_GENERATORS)
            rows.sort(key=lambda row: (order.index(row["generator"]), row["size"]))
            RECORD.write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=1) + "\n", "utf-8")


def view(labels: np.ndarray, solid: np.ndarray, pixels: int = 400) -> np.ndarray:
    """A cube of voxels seen from a corner, parallel rays, RGBA (pixels, pixels, 4): what is not solid lets through."""
    towards = np.array([-0.62, -0.55, -0.56])  # direction of the rays
    towards /= np.linalg.norm(towards)
    right = np.cross(towards, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, towards)
    n = labels.shape[0]
    across = np.linspace(-0.86 * n, 0.86 * n, pixels)
    start = 0.5 * n - 0.9 * n * towards + across[::-1, None, None] * up + across[None, :, None] * right
    colour = np.zeros((pixels, pixels, 4))
    todo = np.ones((pixels, pixels), bool)
    inside_before = np.zeros((pixels, pixels), bool)
    smooth = scipy.ndimage.gaussian_filter(solid.astype(np.float32), 1.2, mode="wrap")
    light = np.array([0.35, 0.75, 0.55])
    palette = phase_rgb(np.arange(int(labels.max()) + 1)) / 255
    step = 0.5
    for distance in np.arange(0, 1.8 * n, step):
        rows = np.argwhere(todo)
        if not len(rows):
            break
        place = np.floor(start[todo] + distance * towards).astype(int)
        inside = np.all((place >= 0) & (place < n), axis=1)
        hit = inside.copy()
        hit[inside] = solid[tuple(place[inside].T)]
        first = hit & ~inside_before[todo]
        inside_before[todo] = inside
        if not hit.any():
            continue
        found = place[hit]
        shade = np.empty(len(found))
        on_face = first[hit]
        # A cut through the solid is one of the three faces in sight; elsewhere the surface has its own normal.
        face = np.argmin(np.where(found >= n - 2, 0, 1) * 9 + (n - 1 - found), axis=1)
        shade[on_face] = np.array([0.7, 0.88, 1.08])[face[on_face]]
        normal = np.stack(
            [
                smooth[tuple(((found + d) % n).T)] - smooth[tuple(((found - d) % n).T)]
                for d in np.eye(3, dtype=int)
            ],
            axis=1,
        )
        normal /= -np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        lit = np.clip(normal @ light / np.linalg.norm(light), 0, 1)
        depth = 1 - 0.35 * (distance - 0.3 * n) / n
        shade[~on_face] = (0.35 + 0.6 * lit[~on_face]) * np.clip(depth, 0.4, 1)
        rgb = np.clip(palette[labels[tuple(found.T)]] * shade[:, None], 0, 1)
        colour[tuple(rows[hit].T)] = np.column_stack([rgb, np.ones(len(found))])
        todo[tuple(rows[hit].T)] = False
    return colour


def draw_picture(n: int = 96) -> None:
    """All generators, and one Gaussian field more: correlations over all lengths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    made = [(name, material(name, n, 16.0)) for name in ALL_GENERATORS]
    place = [name for name, _ in made].index("gaussian-level-cut")
    long_range = GaussianLevelCut((n, n, n), 0.4, PowerLaw(4.0, 1.0))
    made.insert(place + 1, ("gaussian-level-cut,\npower law", long_range))
    figure, axes = plt.subplots(3, 5, figsize=(10, 6.6), layout="constrained")
    for axis, (name, generator) in zip(axes.reshape(-1), made, strict=True):
        image = generator.realize(3).image
        every_label = "polycrystal" in name or name == "laminate"
        solid = np.ones(image.grid.shape, bool) if every_label else image.labels > 0
        positions = image.labels if every_label or image.labels.max() > 1 else image.labels * 0
        axis.imshow(view(np.asarray(positions), solid), interpolation="bilinear")
        axis.set_title(name, fontsize=9)
        axis.set_axis_off()
    data = io.BytesIO()
    figure.savefig(data, dpi=110)
    plt.close(figure)
    # A few hundred colours are enough, in a third of the bytes.
    PIL.Image.open(data).convert("RGB").quantize(256).save(PICTURE, optimize=True)


def _sentence(name: str) -> str:
    text = " ".join((inspect.getdoc(ALL_GENERATORS[name]) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[a-z\d)])\. ", text)[0].rstrip(".").replace("|", "or") + "."


def _aims(name: str) -> str:
    words = "; ".join(dict.fromkeys(material(name, 96, 16.0).targets()))
    for pattern, short in (
        (r"fraction of label \d(; fraction of label \d)*", "fractions"),
        (r"(orientation [xyz]{2}(; )?)+", "orientation tensor"),
        (r"(correlation at \d+ voxels along [xyz](; )?)+", "correlation at three lags along each axis"),
        (r"(crystal axis 1 along [xyz](; )?)+", "crystal axes along each axis, mean squares"),
    ):
        words = re.sub(pattern, short, words)
    return words


def page() -> str:
    lines = [INTRODUCTION, "| Name | Class | What it draws | What it aims at |", "|---|---|---|---|"]
    for name, kind in ALL_GENERATORS.items():
        lines.append(f"| `{name}` | `{kind.__name__}` | {_sentence(name)} | {_aims(name)} |")
    lines.append(COST)
    record = json.loads(RECORD.read_text("utf-8"))
    sizes = sorted({row["size"] for row in record["rows"]})
    head = " | ".join(f"{n}³: seconds | bytes per voxel" for n in sizes)
    lines += [f"| Name | {head} |", "|---|" + "---|---|" * len(sizes)]
    for name in ALL_GENERATORS:
        cells = []
        for n in sizes:
            found = [row for row in record["rows"] if (row["generator"], row["size"]) == (name, n)]
            row = found[0] if found else None
            cells += ["", ""] if row is None else [
                f"{row['processor_seconds']:.2g}",
                f"{row['bytes_per_voxel']:.1f} ({row['estimated_bytes_per_voxel']:.1f})",
            ]  # fmt: skip
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


INTRODUCTION = """# Generators of microstructures

Random and regular materials, in two and three dimensions, periodic or windows of a larger medium. Lengths are in
voxels; the same seed gives the same image. On the command line: `scalebridge generate NAME --help`. This page is
written by `python docs/generators_page.py`.

![All generators in 96 x 96 x 96 voxels](figures/generators.png)

```python
from scalebridge.microstructure.generators import SpherePacking, generator_from_record

material = SpherePacking(shape=(128, 128, 128), fraction=0.5, radius=8.0)
drawn = material.realize(seed=1)
drawn.image  # a PhaseImage, with its history in words
print(drawn.words)  # every statistic aimed at: asked for, reached
for realization in material.stream(range(100)):
    ...  # one image at a time in memory
larger = material.with_shape((256, 256, 256))
again = generator_from_record(material.record())  # plain data, for JSON and provenance
```

Grains, and fibres and ellipsoids drawn with `separate=True`, have rotation matrices in `drawn.orientations`, by label.
A draw that does not fit into memory is refused beforehand (`estimate_bytes`), and so are parameters that contradict
each other, by name.
"""

COST = """
## What a draw costs

Processor seconds of all threads, and memory at the peak beyond what the process held before (in brackets: what
`estimate_bytes` says). Structures are 16 voxels wide, grains at 512³ 42; lattices and layers fill the image with a few
cells. `python docs/generators_page.py --measure 128 256` measures anew.
"""


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure_one(arguments[1], int(arguments[2]))))
        return 0
    if arguments[:1] == ["--measure"]:
        sizes = [int(word) for word in arguments[1:] if word.isdigit()]
        measure(sizes, [word for word in arguments[1:] if not word.isdigit()])
    else:
        draw_picture()
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
