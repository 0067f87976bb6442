"""`scalebridge generate`: random (or regular) materials drawn into image files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

from cyclopts import Parameter

from scalebridge.cli.generator_arguments import build_generator, parameters_help, split_parameters
from scalebridge.cli.generator_signature import all_signatures
from scalebridge.cli.options import WHOLE, Flag, ProgressStyle, numbers
from scalebridge.core.errors import ConvergenceError, InputError

if TYPE_CHECKING:
    from scalebridge.cli.generated_files import ImageFiles, RecordedImage
    from scalebridge.cli.generator_arguments import ChosenGenerator
    from scalebridge.microstructure.generators.generator import Realization

_OPTIONS = (
    "--shape", "--seed", "--count", "--output", "--format", "--spacing", "--from", "--list", "--json", "--quiet",
    "--force", "--progress", "--help",
)  # fmt: skip
_MOST = 1_000_000


def generate(
    name: str | None = None,
    /,
    *parameters: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    shape: str | None = None,
    seed: Annotated[int | None, WHOLE] = None,
    count: Annotated[int, WHOLE] = 1,
    spacing: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    format: Literal["tif", "npy", "vti", "h5"] | None = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    list_: Annotated[bool, Parameter(name="--list", negative=())] = False,
    json: Flag = False,
    quiet: Flag = False,
    force: Flag = False,
    progress: ProgressStyle = "auto",
    help_: Annotated[bool, Parameter(name=["--help", "-h"], negative=())] = False,
) -> int:
    """Draw a microstructure: packings, fibres, polycrystals, random fields, lattices, layers.

    The parameters of a generator are given as options of their own, e.g.
    `scalebridge generate sphere-packing --fraction 0.5 --radius 6 --shape 96,96,96 --output spheres.tif`;
    `scalebridge generate NAME --help` lists them.

    Parameters
    ----------
    name: str
        The generator; --list shows all of them.
    shape: str
        Voxels along x,y,z, or x,y for two dimensions; one number makes a cube. 64 if left out.
    seed: int
        Decides what is drawn: the same seed gives the same image. 1 if left out.
    count: int
        How many are drawn, with successive seeds, one at a time in memory. The same command goes on where it stopped.
    spacing: str
        Edge of a voxel with its unit: 1um.
    output: str
        The image: .tif, .npy, .vti or .h5. With --count, a folder.
    format: str
        With --count: the kind of the images. tif if left out.
    from_: str
        Draw again what this record (.json beside an image) speaks of, bit for bit.
    list_: bool
        List the generators.
    json: bool
        Print one JSON object and nothing else.
    quiet: bool
        Print the names of the images only.
    force: bool
        Overwrite files of these names.
    progress: str
        auto: a live display on a terminal, else nothing; lines: plain lines.
    help_: bool
        This message; with a name, the parameters of that generator.
    """
    if help_ or ((name is None or list_) and from_ is None):
        return _explain(name, help_, json)
    if from_ is not None:
        _check_only_from(name, parameters, shape, seed, count, spacing)
        return _again(from_, output, format, _Speech(json, quiet, progress), force)
    assert name is not None
    texts = split_parameters(name, parameters, _OPTIONS)
    if output is None:
        raise InputError(
            "Say where the image goes: --output FILE.tif (.npy, .vti, .h5), or a folder with --count."
        )
    seed = 1 if seed is None else seed
    if not 0 <= seed < 2**32:
        raise InputError(f"--seed must lie between 0 and {2**32 - 1}, got {seed}.")
    if not 1 <= count <= _MOST:
        raise InputError(f"--count must lie between 1 and {_MOST}, got {count}.")
    seeds = range(seed, seed + count)
    files = _files(name, output, format, seeds, alone=count == 1)
    chosen = build_generator(name, _shape(shape), spacing, texts)
    return _draw(chosen, seeds, files, files[0].target != output, force, _Speech(json, quiet, progress))


@final
@dataclasses.dataclass(frozen=True)
class _Speech:
    """How the command speaks."""

    json: bool
    quiet: bool
    progress: str


def _explain(name: str | None, wanted: bool, json: bool) -> int:
    """The list of generators, the help of the command, or that of one generator."""
    from scalebridge.cli.wrapping import wrapped

    if wanted and name is None:
        from scalebridge.cli.application import application

        application().help_print(["generate"])
        return 0
    if wanted and name is not None:
        print(wrapped(parameters_help(name)))
        return 0
    signatures = all_signatures()
    if json:
        import json as json_module

        rows = [
            {
                "name": s.name,
                "summary": s.summary,
                "parameters": [
                    {"name": p.option[2:], "value": p.words, "default": p.shown_default or None}
                    for p in s.parameters
                ],
            }
            for s in signatures
        ]
        print(json_module.dumps({"generators": rows}, allow_nan=False))
        return 0
    for signature in signatures:
        print(f"{signature.name} {signature.usage}")  # one line each, however long
    print("\nOne of them: scalebridge generate NAME --help")
    return 0


def _shape(text: str | None) -> tuple[int, ...]:
    if text is None:
        return (64, 64, 64)
    shape = tuple(int(n) for n in numbers(text, "--shape", whole=True))
    shape = shape * 3 if len(shape) == 1 else shape
    if len(shape) not in (2, 3) or min(shape) < 1 or max(shape) > _MOST:
        raise InputError(f"--shape {text!r}: expected 2 or 3 numbers of voxels, 1 to {_MOST}, e.g. 64,64,64.")
    return shape


def _files(
    name: str, output: str, format: str | None, seeds: Sequence[int], *, alone: bool
) -> list[ImageFiles]:
    """One set of names per seed; in a folder, images are named after their seed."""
    from pathlib import Path

    from scalebridge.cli.generated_files import ImageFiles

    if alone and Path(output).suffix:
        if format is not None:
            raise InputError(f"--format is for folders; the ending of {output} says the format already.")
        return [ImageFiles(output)]
    if Path(output).suffix and not Path(output).is_dir():
        raise InputError(f"--count draws several images: give a folder, not the file {output!r}.")
    return [ImageFiles(str(Path(output) / f"{name}_{seed:04d}.{format or 'tif'}")) for seed in seeds]


def _check_files(files: list[ImageFiles], force: bool, shape: Sequence[int]) -> None:
    """Before anything is drawn; makes the folder."""
    import math

    from scalebridge.core.files import check_folder, writing

    if not files:
        return
    folder = files[0].image.parent
    if len(files) > 1 or not folder.exists():
        check_folder(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    for one in files:
        one.check(force=force, voxels=math.prod(shape))


def _known(
    files: list[ImageFiles],
    chosen: ChosenGenerator,
    seeds: Sequence[int],
    speech: _Speech,
    recorded: Sequence[RecordedImage] | None,
) -> list[dict[str, Any] | None]:
    """The entries of images that an earlier draw with these settings left whole."""
    import sys

    from scalebridge.cli.generated_folder import check_recorded, clear_leftovers, drawn_before

    known = drawn_before(files, chosen, seeds)
    check_recorded(files, known, recorded or ())
    for one, entry in zip(files, known, strict=True):
        if entry is None:
            clear_leftovers(one)
    whole = sum(entry is not None for entry in known)
    if whole and not speech.quiet:
        folder = files[0].image.parent
        print(f"Going on in {folder}: {whole} of {len(files)} images are there.", file=sys.stderr)
    return known


def _check_only_from(
    name: str | None,
    parameters: Sequence[str],
    shape: str | None,
    seed: int | None,
    count: int,
    spacing: str | None,
) -> None:
    if name is not None or parameters or count != 1 or not (shape is seed is spacing is None):
        raise InputError("--from takes everything from the record: give only --output beside it.")


def _again(path: str, output: str | None, format: str | None, speech: _Speech, force: bool) -> int:
    """Draws what a record speaks of, and insists on the same voxels."""
    from scalebridge.cli.generated_files import read_record

    recorded = read_record(path)
    if not recorded:
        raise InputError(f"The record {path} speaks of no image.")
    if output is None:
        raise InputError("Say where the image goes: --output FILE.tif (.npy, .vti, .h5).")
    chosen = recorded[0].chosen
    seeds = [one.seed for one in recorded]
    files = _files(chosen.name, output, format, seeds, alone=len(recorded) == 1)
    return _draw(chosen, seeds, files, files[0].target != output, force, speech, recorded)


def _draw(
    chosen: ChosenGenerator,
    seeds: Sequence[int],
    files: list[ImageFiles],
    into_folder: bool,
    force: bool,
    speech: _Speech,
    recorded: Sequence[RecordedImage] | None = None,
) -> int:
    """Draws what is not there yet. recorded: what every image must be, where a record says so."""
    from scalebridge.core.memory import check_fits

    shape = chosen.generator.shape
    box = " x ".join(map(str, shape))
    check_fits(chosen.generator.estimate_bytes(), f"A draw of {box} voxels", "Take a smaller --shape.")
    known: list[dict[str, Any] | None] = [None] * len(files)
    if into_folder and not force:
        known = _known(files, chosen, seeds, speech, recorded)
    wanted = [n for n, entry in enumerate(known) if entry is None]
    # What stands in the way in a folder was judged, and is ours.
    _check_files([files[n] for n in wanted], force or into_folder, shape)
    draws = chosen.generator.stream([seeds[n] for n in wanted])
    return _save(chosen, draws, files, known, speech, recorded)


def _save(
    chosen: ChosenGenerator,
    draws: Iterator[Realization],
    files: Sequence[ImageFiles],
    known: Sequence[dict[str, Any] | None],
    speech: _Speech,
    recorded: Sequence[RecordedImage] | None,
) -> int:
    """Writes every draw before the next one is made; images that are known are not drawn."""
    import json as json_module

    from scalebridge.cli.generated_files import collect_record, save_realization
    from scalebridge.cli.progress import Progress

    entries: list[dict[str, Any]] = []
    total = len(files)
    with Progress(speech.progress, quiet=speech.quiet) as bar:
        bar.update("drawing", 0, total)
        for number, (one, entry) in enumerate(zip(files, known, strict=True), start=1):
            if entry is None:
                realization = next(draws)
                if recorded is not None:
                    _insist(realization, recorded[number - 1])
                entry = save_realization(realization, chosen, one)
                if not (speech.json or speech.quiet):
                    _print_one(realization, one, total)
            if speech.quiet and not speech.json:
                print(one.target)
            entries.append(entry)
            bar.update("drawing", number, total, one.image.name)
    if speech.json:
        record = collect_record(chosen, entries, None)
        print(json_module.dumps(record, allow_nan=False))
    elif total > 1 and not speech.quiet:
        _print_all(entries)
    return 0


def _insist(realization: Realization, recorded: RecordedImage) -> None:
    from scalebridge.core.provenance import versions

    if realization.image.sha256 == recorded.sha256:
        return
    now = versions()
    changed = [
        f"{key} {recorded.versions.get(key)} then, {now[key]} now"
        for key in ("scalebridge", "numpy", "scipy", "python")
        if recorded.versions.get(key) != now[key]
    ]
    why = "; ".join(changed) or "the record or the machine differ"
    raise ConvergenceError(
        f"Seed {realization.seed} gives another image than the one recorded ({why}). Nothing is written. "
        "Install the versions of the record to have the same voxels."
    )


def _print_one(realization: Realization, files: ImageFiles, total: int) -> None:
    from scalebridge.cli.wrapping import wrapped

    if total > 1:
        reached = ", ".join(f"{name} {value:.5g}" for name, value in realization.reached.items())
        print(wrapped(f"{files.image.name}: {reached}"), flush=True)
        return
    image = realization.image
    shape = " x ".join(map(str, image.grid.shape))
    print(wrapped(f"{shape} voxels; {image.history[-1]}"))
    print(_table([(name, (value, realization.reached[name])) for name, value in realization.targets.items()]))
    beside = [files.record.name]
    if realization.orientations and files.orientations != files.image:
        beside.append(files.orientations.name)
    print(wrapped(f"Written {files.target}; beside it {', '.join(beside)}."))


def _print_all(entries: Sequence[dict[str, Any]]) -> None:
    """Means and scatter of what was reached."""
    import statistics

    rows = []
    for name, target in entries[0]["targets"].items():
        reached = [e["reached"][name] for e in entries if e["reached"][name] is not None]
        if reached:
            deviation = statistics.stdev(reached) if len(reached) > 1 else 0.0
            rows.append((name, (target, statistics.fmean(reached), deviation)))
    print(f"\n{len(entries)} images:")
    print(_table(rows, ("asked", "mean", "deviation")))


def _table(rows: Sequence[tuple[str, Sequence[float]]], heads: Sequence[str] = ("asked", "reached")) -> str:
    """Names and numbers in columns."""
    if not rows:
        return "No statistics are targeted."
    width = max(len(name) for name, _ in rows)
    lines = ["  " + "statistic".ljust(width) + "".join(f"{head:>12}" for head in heads)]
    lines += ["  " + name.ljust(width) + "".join(f"{v:>12.5g}" for v in values) for name, values in rows]
    return "\n".join(lines)
