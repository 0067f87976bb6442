"""`scalebridge generate`: images of generators from options alone."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import h5py
import numpy as np
import pytest

from cli_support import assert_one_message, own_folder, packages_and_seconds, run
from scalebridge.cli.generator_signature import all_signatures, generator_signature, kinds_of
from scalebridge.microstructure import read_image
from scalebridge.microstructure.generators import (
    ALL_GENERATORS,
    AbstractCovariance,
    Exponential,
    GaussianLevelCut,
    Laminate,
    PowerLaw,
    SpherePacking,
    TwoPointReconstruction,
    VoronoiMosaic,
    VoronoiPolycrystal,
)

_folder = pytest.fixture(own_folder, autouse=True)


@pytest.mark.parametrize("name", list(ALL_GENERATORS))
def test_the_source_text_says_what_the_class_takes(name: str) -> None:
    kind = ALL_GENERATORS[name]
    fields = {f.name: f for f in dataclasses.fields(kind) if f.name not in ("shape", "spacing")}
    signature = generator_signature(name)
    assert signature.class_name == kind.__name__
    assert [p.name for p in signature.parameters] == list(fields)
    for parameter in signature.parameters:
        assert (parameter.default is None) == (fields[parameter.name].default is dataclasses.MISSING)
        assert parameter.words
        if parameter.default is not None:
            assert eval(parameter.default) == fields[parameter.name].default
        if parameter.family is not None:
            assert kinds_of(parameter.family)
    assert signature.summary


def test_all_members_of_a_family_are_known() -> None:
    found = {signature.class_name for signature in kinds_of("AbstractCovariance").values()}
    assert found == {kind.__name__ for kind in AbstractCovariance.__subclasses__()}


def test_help_and_lists_need_no_numpy() -> None:
    done, packages, _ = packages_and_seconds(
        ["generate"],
        ["generate", "--help"],
        ["generate", "sphere-packing", "--help"],
        ["generate", "--list", "--json"],
        ["generate", "sphere-packing", "--radius", "3"],
        ["generate", "no-such"],
        ["generate", "laminate", "--frction", "1"],
    )
    assert packages == ""
    for name in ALL_GENERATORS:
        assert f"\n{name} " in "\n" + done.stdout
    assert done.stderr.count("error:") == 3


def test_every_generator_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for signature in all_signatures():
        code, out, err = run(capsys, "generate", signature.name, "--help")
        assert (code, err) == (0, "")
        for parameter in signature.parameters:
            assert parameter.option in out
    assert "power-law:correlation-length=N,exponent=N" in run(
        capsys, "generate", "gaussian-level-cut", "--help"
    )[1].replace("\n", " ")
    assert "voxels" in run(capsys, "generate", "sphere-packing", "--help")[1]


SMALL = {
    "sphere-packing": ["--fraction", "0.2", "--radius", "3", "--shaking", "2"],
    "ellipsoid-packing": ["--fraction", "0.1", "--axes", "4,2", "--shape", "48,40", "--separate"],
    "overlapping-spheres": ["--fraction=0.3", "--radius=2.5"],
    "straight-fibres": [
        "--fraction",
        "0.1",
        "--radius",
        "1",
        "--length",
        "9",
        "--orientation",
        "0.6,0.3,0.1",
    ],
    "curved-fibres": ["--fraction", "0.04", "--radius", "1.5", "--length", "14", "--shape", "32"],
    "laminate": ["--fractions", "0.25,0.75", "--axis", "1", "--random", "no", "--period", "8"],
    "checkerboard": ["--tile", "4", "--random", "--fraction", "0.3"],
    "voronoi-mosaic": ["--cell-volume", "100"],
    "gaussian-level-cut": ["--fraction", "0.4", "--covariance", "oscillating:wavelength=8,decay-length=6"],
    "voronoi-polycrystal": ["--grain_volume", "300", "--no-periodic"],
    "laguerre-polycrystal": ["--grain-volume", "1000", "--tolerance", "0.05"],
    "minimal-surface-lattice": ["--surface", "schwarz-p", "--fraction", "0.3", "--cell", "12"],
    "strut-lattice": ["--truss", "octet", "--radius", "1.2", "--cell", "12,12,24", "--fraction", "none"],
    "two-point-reconstruction": ["--reference", "reference.npy", "--tolerance", "0.2", "--shape", "32,32"],
}


@pytest.mark.parametrize("name", list(ALL_GENERATORS))
def test_every_generator_draws_and_its_record_draws_again(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("reference.npy", VoronoiMosaic((40, 40), 60.0, 0.4).realize(3).image.labels)
    shape = [] if "--shape" in SMALL[name] else ["--shape", "24,24,24"]
    words = ["generate", name, *SMALL[name], *shape, "--seed", "5", "--spacing", "2um"]
    code, out, err = run(capsys, *words, "--output", "image.tif")
    assert code == 0, err
    assert "seed 5" in out
    record = json.loads(Path("image.json").read_text())
    assert record["schema"] == "scalebridge.generate/1"
    image = read_image("image.tif")
    assert image.grid.spacing == pytest.approx((2e-6,) * image.grid.ndim)
    (entry,) = record["images"]
    assert entry["reached"].keys() == entry["targets"].keys()
    for statistic in entry["targets"]:
        assert statistic in out
    code, again, err = run(capsys, "generate", "--from", "image.json", "--output", "again.npy", "--json")
    assert code == 0, err
    assert json.loads(again)["images"][0]["sha256"] == entry["sha256"]
    np.testing.assert_array_equal(np.load("again.npy"), image.labels)
    if entry["orientations"] is not None:
        first, second = (np.load(f"{stem}.orientations.npz") for stem in ("image", "again"))
        assert set(first["labels"]) <= set(np.unique(image.labels))
        np.testing.assert_array_equal(first["rotations"], second["rotations"])


def test_the_image_is_the_one_of_the_python_generator(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "sphere-packing", "--fraction", "0.3", "--radius", "4um", "--gap", "500 nm"]
    words += ["--spacing", "1um", "--shape", "32", "--seed", "9", "-o", "a.npy", "--quiet"]
    code, out, err = run(capsys, *words)
    assert (code, out) == (0, "a.npy\n"), err
    expected = SpherePacking((32, 32, 32), 0.3, 4.0, gap=0.5, spacing=(1e-6,) * 3).realize(9)
    np.testing.assert_array_equal(np.load("a.npy"), expected.image.labels)
    for text, covariance in (
        ("exponential:3", Exponential(3.0)),
        ("power-law:3,exponent=1.5", PowerLaw(3.0, 1.5)),
    ):
        words = ["generate", "gaussian-level-cut", "--fraction", "0.4", "--covariance", text]
        assert run(capsys, *words, "--shape", "32x24", "-o", "a.npy", "--force")[0] == 0
        expected = GaussianLevelCut((32, 24), 0.4, covariance).realize(1)
        np.testing.assert_array_equal(np.load("a.npy"), expected.image.labels)


def test_many_are_streamed_into_a_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[int] = []
    draw = Laminate.realize

    def watched(self: Laminate, seed: int):  # type: ignore[no-untyped-def]
        alive.append(len(list(Path("many").glob("*.npy"))))
        return draw(self, seed)

    monkeypatch.setattr(Laminate, "realize", watched)
    words = ["generate", "laminate", "--random", "--period", "2", "--shape", "16,4", "--count", "4"]
    words += ["--seed", "7", "--format", "npy", "--output", "many"]
    code, out, err = run(capsys, *words)
    assert code == 0, err
    assert alive == [0, 1, 2, 3], "each image is written before the next one is drawn"
    names = sorted(path.name for path in Path("many").glob("*.npy"))
    assert names == [f"laminate_{seed:04d}.npy" for seed in (7, 8, 9, 10)]
    assert "4 images" in out
    assert "deviation" in out
    for seed in (7, 10):
        expected = draw(Laminate((16, 4), random=True, period=2), seed).image.labels
        np.testing.assert_array_equal(np.load(f"many/laminate_{seed:04d}.npy"), expected)
    code, _, err = run(capsys, *words)
    assert (code, len(alive)) == (0, 4), "what is there is not drawn again"
    assert "4 of 4 images are there" in err
    assert run(capsys, *words, "--force")[0] == 0
    assert len(alive) == 8


def test_a_draw_that_was_stopped_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = VoronoiPolycrystal.realize

    def watched(self: VoronoiPolycrystal, seed: int):  # type: ignore[no-untyped-def]
        drawn.append(seed)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return draw(self, seed)

    monkeypatch.setattr(VoronoiPolycrystal, "realize", watched)
    words = [
        "generate",
        "voronoi-polycrystal",
        "--grain-volume",
        "60",
        "--shape",
        "12,12",
        "--count",
        "5",
        "--json",
    ]
    assert run(capsys, *words, "-o", "whole", "--seed", "21")[0] == 130
    left = sorted(path.name for path in Path("whole").iterdir())
    assert left == sorted(
        f"voronoi-polycrystal_00{n}.{ending}"
        for n in (21, 22, 23)
        for ending in ("json", "orientations.npz", "tif")
    )
    first = Path("whole/voronoi-polycrystal_0021.tif")
    second, third = first.with_stem(first.stem[:-1] + "2"), first.with_stem(first.stem[:-1] + "3")
    content = {path: path.read_bytes() for path in (first, second)}
    second.write_bytes(content[second][:-100])  # as a full disk leaves it
    record = json.loads(third.with_suffix(".json").read_text())
    third.with_suffix(".json").write_text(
        json.dumps(record | {"images": []})
    )  # killed between image and record
    leftover = Path("whole/.voronoi-polycrystal_0024.tif.abc.part")
    leftover.write_bytes(b"half")
    before = first.stat().st_mtime_ns
    code, out, err = run(capsys, *words, "-o", "whole", "--seed", "21")
    assert code == 0, err
    assert drawn[4:] == [22, 23, 24, 25]
    assert first.stat().st_mtime_ns == before
    assert second.read_bytes() == content[second]
    assert not leftover.exists()
    assert "1 of 5 images are there" in err
    at_once = json.loads(run(capsys, *words, "-o", "other", "--seed", "21")[1])
    assert json.loads(out)["images"] == at_once["images"]
    for path in Path("other").glob("*.tif"):
        assert path.read_bytes() == (Path("whole") / path.name).read_bytes()
    del drawn[:3]
    first.with_suffix(".orientations.npz").unlink()
    assert run(capsys, *words, "-o", "whole", "--seed", "20")[0] == 0
    assert drawn[-2:] == [20, 21], "one more, and one whose rotations are gone"


def test_a_record_of_several_images_goes_on_where_it_was_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("reference.npy", VoronoiMosaic((40, 40), 60.0, 0.4).realize(3).image.labels)
    drawn: list[int] = []
    draw, stop_at = TwoPointReconstruction.realize, [0]

    def watched(self: TwoPointReconstruction, seed: int):  # type: ignore[no-untyped-def]
        drawn.append(seed)
        if len(drawn) == stop_at[0]:
            raise KeyboardInterrupt
        return draw(self, seed)

    monkeypatch.setattr(TwoPointReconstruction, "realize", watched)
    words = [
        "generate",
        "two-point-reconstruction",
        *SMALL["two-point-reconstruction"],
        "--count",
        "3",
        "--json",
    ]
    stop_at[0] = 2
    assert run(capsys, *words, "-o", "first")[0] == 130
    code, out, _ = run(capsys, *words, "-o", "first")
    assert code == 0
    assert drawn == [1, 2, 2, 3], "the command itself goes on"
    Path("all.json").write_text(out)
    again = ["generate", "--from", "all.json", "--output", "second", "--json"]
    drawn.clear()
    stop_at[0] = 3
    assert run(capsys, *again)[0] == 130
    assert sorted(path.name for path in Path("second").glob("*.tif")) == [
        f"two-point-reconstruction_000{n}.tif" for n in (1, 2)
    ]
    code, last, err = run(capsys, *again)
    assert code == 0, err
    assert drawn == [1, 2, 3, 3]
    assert "2 of 3 images are there" in err
    assert json.loads(last)["images"] == json.loads(out)["images"]
    assert run(capsys, *again)[0] == 0
    assert len(drawn) == 4, "what is there is not drawn again"
    # An image of these settings that another version of the package drew.
    other = json.loads(out)
    other["images"][1]["sha256"] = "0" * 64
    Path("all.json").write_text(json.dumps(other))
    assert_one_message(capsys, "not the image that it speaks of", *again)
    assert run(capsys, *again, "--force")[0] == 1, "drawn anew it is still another one"


def test_images_of_other_settings_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "laminate", "--random", "--shape", "16,4", "--count", "2", "--output", "many"]
    assert run(capsys, *words, "--period", "4")[0] == 0
    content = {path: path.read_bytes() for path in Path("many").iterdir()}
    for others, said in (
        (["--period", "8"], "period 4 there, 8 asked for"),
        (["--period", "4", "--spacing", "1um"], "spacing null there"),
        (["--period", "4", "--format", "npy"], "file laminate_0001.tif there, laminate_0001.npy asked for"),
    ):
        assert_one_message(capsys, said, *words, *others)
    assert content == {path: path.read_bytes() for path in Path("many").iterdir()}
    Path("many/laminate_0002.json").unlink()
    assert_one_message(capsys, "no record", *words, "--period", "4")
    assert run(capsys, *words, "--period", "8", "--force")[0] == 0
    assert "period 8" in run(capsys, *words, "--period", "4")[2]


def test_orientations_of_grains_go_beside_the_image_or_into_hdf5(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "voronoi-polycrystal", "--grain-volume", "100", "--shape", "30,20"]
    expected = VoronoiPolycrystal((30, 20), 100.0).realize(1)
    assert run(capsys, *words, "--output", "a.vti")[0] == 0
    kept = np.load("a.orientations.npz")
    assert run(capsys, *words, "--output", "a.h5")[0] == 2, "the record a.json is taken"
    assert run(capsys, *words, "--output", "b.h5")[0] == 0
    assert not Path("b.orientations.npz").exists()
    with h5py.File("b.h5") as file:
        rotations = file["orientations/rotations"][()]
        labels = file["orientations/labels"][()]
    np.testing.assert_array_equal(labels, sorted(expected.orientations))
    np.testing.assert_array_equal(kept["labels"], labels)
    for label, found, same in zip(labels, rotations, kept["rotations"], strict=True):
        np.testing.assert_array_equal(found, expected.orientations[label])
        np.testing.assert_array_equal(found, same)
    np.testing.assert_array_equal(read_image("b.h5:/labels").labels, expected.image.labels)


def test_a_record_that_gives_another_image_is_not_believed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "checkerboard", "--tile", "2", "--random", "--shape", "8,8", "-o", "a.npy"]
    assert run(capsys, *words)[0] == 0
    text = Path("a.json").read_text()
    record = json.loads(text)
    record["images"][0]["seed"] = 2
    Path("other.json").write_text(json.dumps(record))
    code, _, err = run(capsys, "generate", "--from", "other.json", "-o", "b.npy")
    assert code == 1
    assert "another image" in err
    assert not Path("b.npy").exists()
    for damage in (
        "",
        "[]",
        "{}",
        text[:200],
        text.replace('"images"', '"image"'),
        text.replace("Check", "Chk"),
    ):
        Path("other.json").write_text(damage)
        code, _, err = run(capsys, "generate", "--from", "other.json", "-o", "b.npy")
        assert code == 2, damage
        assert err.count("error:") == 1


PACKING = ["sphere-packing", "--fraction", "0.3", "--radius", "3"]
MISTAKES = {
    "no such generator": (["sphere-paking", "-o", "a.npy"], "did you mean 'sphere-packing'"),
    "no such parameter": ([*PACKING, "--gpa", "1", "-o", "a.npy"], "did you mean --gap"),
    "misspelt option": ([*PACKING, "--outptu", "a.npy"], "did you mean --output"),
    "missing parameter": (["sphere-packing", "--fraction", "0.3", "-o", "a.npy"], "--radius"),
    "twice": ([*PACKING, "--radius", "4", "-o", "a.npy"], "given twice"),
    "no value": ([*PACKING, "-o", "a.npy", "--gap"], "--gap needs a value"),
    "no number": (["sphere-packing", "--fraction", "0.3", "--radius", "big", "-o", "a.npy"], "--radius"),
    "nan": (["sphere-packing", "--fraction", "nan", "--radius", "3", "-o", "a.npy"], "finite"),
    "out of range": (["sphere-packing", "--fraction", "1.3", "--radius", "3", "-o", "a.npy"], "fraction"),
    "negative": ([*PACKING, "--gap", "-1", "-o", "a.npy"], "gap"),
    "no whole number": ([*PACKING, "--shaking", "1.5", "-o", "a.npy"], "whole number"),
    "several for one": ([*PACKING, "--gap", "1,2", "-o", "a.npy"], "--gap"),
    "no flag": ([*PACKING, "--periodic", "perhaps", "-o", "a.npy"], "perhaps"),
    "stray word": ([*PACKING, "4", "-o", "a.npy"], "'4'"),
    "length without spacing": ([*PACKING, "--gap", "1um", "-o", "a.npy"], "--spacing"),
    "no length": ([*PACKING, "--gap", "1K", "--spacing", "1um", "-o", "a.npy"], "length"),
    "no such member": (
        ["gaussian-level-cut", "--fraction", "0.5", "--covariance", "exponental:3", "-o", "a.npy"],
        "did you mean 'exponential'",
    ),
    "member incomplete": (
        ["gaussian-level-cut", "--fraction", "0.5", "--covariance", "power-law:3", "-o", "a.npy"],
        "exponent",
    ),
    "member of too much": (
        ["gaussian-level-cut", "--fraction", "0.5", "--covariance", "gaussian:3,4", "-o", "a.npy"],
        "correlation-length",
    ),
    "no tensor": (
        ["straight-fibres", "--fraction", "0.1", "--radius", "2", "--length", "20", "--orientation", "a,b",
         "-o", "a.npy"],
        "tensor",
    ),
    "no texture": (["voronoi-polycrystal", "--grain-volume", "99", "--texture", "no.npy", "-o", "a.npy"], "no.npy"),
    "no reference": (["two-point-reconstruction", "--reference", "no.tif", "-o", "a.npy"], "no.tif"),
    "no output": (PACKING, "--output"),
    "unknown ending": ([*PACKING, "-o", "a.jpeg"], ".jpeg"),
    "shape of words": ([*PACKING, "-o", "a.npy", "--shape", "big"], "whole number"),
    "shape of zero": ([*PACKING, "-o", "a.npy", "--shape", "0,8,8"], "--shape"),
    "shape of four": ([*PACKING, "-o", "a.npy", "--shape", "8,8,8,8"], "--shape"),
    "too large for memory": ([*PACKING, "-o", "a.tif", "--shape", "1000000"], "memory"),
    "many too large for memory": ([*PACKING, "-o", "a", "--count", "2", "--shape", "1000000"], "memory"),
    "too large for numbers": ([*PACKING, "-o", "a.npy", "--shape", "9" * 400], "whole number"),
    "spacing of no length": ([*PACKING, "-o", "a.npy", "--spacing", "1K"], "length"),
    "negative seed": ([*PACKING, "-o", "a.npy", "--seed", "-1"], "--seed"),
    "seed of words": ([*PACKING, "-o", "a.npy", "--seed", "one"], "--seed"),
    "half a seed": ([*PACKING, "-o", "a.npy", "--seed", "1.5"], '"1.5" is not a whole number.'),
    "half an image": ([*PACKING, "-o", "a", "--count", "2.5"], "whole number"),
    "no count": ([*PACKING, "-o", "a", "--count", "0"], "--count"),
    "several into one file": ([*PACKING, "-o", "a.npy", "--count", "2"], "folder"),
    "format of a file": ([*PACKING, "-o", "a.npy", "--format", "tif"], "--format"),
    "name and record": ([*PACKING, "-o", "a.npy", "--from", "a.json"], "--from"),
    "no record": (["--from", "no.json", "-o", "a.npy"], "no.json"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gets_one_message_and_exit_code_2(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = MISTAKES[case]
    assert_one_message(capsys, message, "generate", *words)
    assert not list(Path().iterdir()), "a refused draw leaves nothing behind"


def test_no_arguments_make_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(11)
    names = [
        "checkerboard",
        "laminate",
        "gaussian-level-cut",
        "voronoi-mosaic",
        "overlapping-spheres",
        "nothing",
    ]
    values = ["1", "0", "-1", "0.5", "1e999", "nan", "", " ", "a", "1,2", "1;2", ",", "8,8", "none", "yes", "--",
              "exponential:2", "exponential:", ":", "gaussian:correlation-length=", "1um", "9" * 50,
              "é", "3=4"]  # fmt: skip
    options = ["--shape", "--seed", "--count", "--spacing", "--format", "--json", "--list", "--tile", "--random",
               "--fraction", "--fractions", "--period", "--axis", "--covariance", "--cell-volume", "--radius",
               "--periodic", "--no-periodic", "--stretch", "--from", "--x", "-x", "--=", "-"]  # fmt: skip
    good = 0
    for number in range(300):
        words = ["generate", chance.choice(names), "--output", f"f{number}.npy", "--shape", "8,8"]
        if chance.random() < 0.6:
            words += ["--tile", "2"] if words[1] == "checkerboard" else []
            words += ["--cell-volume", "9"] if words[1] == "voronoi-mosaic" else []
        for _ in range(chance.randint(0, 4)):
            words.append(chance.choice(options))
            if chance.random() < 0.8:
                words.append(chance.choice(values))
        code, _, err = run(capsys, *words)
        assert code in (0, 1, 2), words
        assert "Traceback" not in err, words
        assert "fault of scalebridge" not in err, words
        assert code != 2 or err.count("error:") == 1, words
        good += code == 0
    assert good > 10
