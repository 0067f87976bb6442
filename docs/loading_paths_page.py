"""Runs the command that docs/loading-paths.md shows, puts its output there, and draws its picture.

python docs/loading_paths_page.py
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

import numpy as np

from scalebridge.cli.main import main
from scalebridge.homogenize.path import Moments, PathResult
from scalebridge.report import figures
from scalebridge.report.figures.path import curve_chart, energy_chart
from scalebridge.report.path_fields import path_views
from scalebridge.study.path_parse import load_path_study
from scalebridge.study.path_plan import prepare_path, run_path

HERE = Path(__file__).resolve().parent
PAGE, PICTURE = HERE / "loading-paths.md", HERE / "figures" / "loading-path.png"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def image() -> np.ndarray:
    """One ball in a cubic cell of 16 x 16 x 16 voxels."""
    from scalebridge.microstructure import generate

    return np.asarray(generate.sphere_array(16, radius=0.35).labels)


def command(text: str) -> str:
    """The command of the page, continued lines joined."""
    block = BLOCK.search(text)
    assert block is not None
    lines = block[1].split("\n\n")[0]
    return lines.removeprefix("$ ").strip()


def draw(result: PathResult, path: Path) -> None:
    """The curve, the energies, and the von Mises stress at the end of the first leg, side by side."""
    from matplotlib import image as pixels
    from matplotlib.figure import Figure

    view = path_views(result, result.fields[next(iter(result.fields))])[1]
    parts = [
        curve_chart(result),
        energy_chart(result),
        figures.field_slice(view, figures.cuts(result.image.grid)[0]),
    ]
    bar = figures.colour_bar(view)
    shown = []
    for one in (*parts, bar):
        stream = io.BytesIO()
        one.savefig(stream, format="png", dpi=160, facecolor="white")
        shown.append(pixels.imread(io.BytesIO(stream.getvalue())))
    sheet = Figure(figsize=(11.2, 4.55))
    sheet.set_facecolor("white")
    for n, pixel in enumerate(shown[:3]):
        width, height = pixel.shape[1] / 160, pixel.shape[0] / 160
        place = sheet.add_axes(
            (n * 3.72 / 11.2, (0.02 if n == 2 else 0.85) / 4.55, width / 11.2, height / 4.55)
        )
        place.imshow(pixel)
        place.axis("off")
    width, height = shown[3].shape[1] / 160, shown[3].shape[0] / 160
    place = sheet.add_axes((2 * 3.72 / 11.2, (4.55 - height) / 4.55, width / 11.2, height / 4.55))
    place.imshow(shown[3])
    place.axis("off")
    sheet.savefig(path, dpi=120, facecolor="white")


def run() -> None:
    """Fails when: the command does not end well."""
    page = PAGE.read_text("utf-8")
    words = shlex.split(command(page).replace("\\\n", " "))[1:]
    os.environ["COLUMNS"] = "100"
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            np.save("spheres.npy", image())
            told = io.StringIO()
            with contextlib.redirect_stdout(told):
                code = main(words)
            assert code == 0, told.getvalue()
            plan = prepare_path(load_path_study(Path("spheres") / "study.toml"), "spheres")
            asked = plan.study.path.model_copy(update={"fields": "legs", "resolution": False})
            study = plan.study.model_copy(update={"path": asked})
            result = run_path(prepare_path(study, "spheres"))
            assert plan.fields_at is Moments.END_OF_LEGS
        finally:
            os.chdir(before)
    draw(result, PICTURE)
    output = f"```console\n$ {command(page)}\n\n{told.getvalue().strip()}\n```"
    PAGE.write_text(BLOCK.sub(lambda _: output, page, count=1), "utf-8")


if __name__ == "__main__":
    run()
