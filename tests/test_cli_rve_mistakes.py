"""`scalebridge rve` answers mistakes with one message and exit code 2."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from cli_support import assert_one_message, own_folder, run
from rve_support import BOARD, LAWS, random_image

_folder = pytest.fixture(own_folder, autouse=True)

IMAGE = ["image.npy", *LAWS]
MISTAKES = {
    "no source": ([], "IMAGE|GENERATOR"),
    "no such file": (["no.npy", *LAWS], "no.npy"),
    "no such generator": (["checkerbord", *LAWS], "did you mean 'checkerboard'"),
    "no physics": (["image.npy", "--phase", "0:k=1"], "--physics"),
    "no phase": (["image.npy", "--physics", "conduction"], "--phase"),
    "label without law": (["image.npy", "--physics", "conduction", "--phase", "0:k=1"], "No law for label 1"),
    "law without label": ([*IMAGE, "--phase", "7:k=1"], "label 7"),
    "label twice": ([*IMAGE, "--phase", "1:k=1"], "label 1 2 times"),
    "unknown property": ([*IMAGE[:-2], "--phase", "1:kk=1"], "'kk'"),
    "zero everywhere": (["image.npy", "--physics", "conduction", "--phase", "0:k=0", "--phase", "1:k=0"], "zero"),
    "two units": ([*IMAGE[:-2], "--phase", "1:k=1 S/m"], "same quantity"),
    "grains of an image": ([*IMAGE, "--phase", "grain:k=1"], "orientations"),
    "size larger than the image": ([*IMAGE, "--sizes", "8,32"], "The largest possible is 16"),
    "size of one": ([*IMAGE, "--sizes", "1"], "at least 2"),
    "negative size": ([*IMAGE, "--sizes", "-8"], "--sizes"),
    "size of words": ([*IMAGE, "--sizes", "big"], "whole number"),
    "no sizes": ([*IMAGE, "--sizes", ""], "--sizes"),
    "size twice": ([*IMAGE, "--sizes", "8,8"], "twice"),
    "more realizations than windows": ([*IMAGE, "--sizes", "8,16", "--realizations", "7"], "6 windows"),
    "more at one size": ([*IMAGE, "--sizes", "8,16", "--realizations", "6,2"], "1 window of 16"),
    "realizations for three": ([*IMAGE, "--sizes", "8,16", "--realizations", "1,2,3"], "2 sizes"),
    "far too many": ([*BOARD, "--sizes", "8", "--realizations", "9" * 30], "--realizations"),
    "no realizations": ([*IMAGE, "--sizes", "8", "--realizations", "0"], "--realizations"),
    "unknown condition": ([*IMAGE, "--bc", "kub"], "did you mean 'kubc'"),
    "faces": ([*IMAGE, "--bc", "periodic,faces"], "faces"),
    "condition twice": ([*IMAGE, "--bc", "kubc,kubc"], "twice"),
    "no condition": ([*IMAGE, "--bc", ","], "--bc"),
    "precision of words": ([*IMAGE, "--precision", "good"], "--precision"),
    "precision too large": ([*IMAGE, "--precision", "5"], "--precision"),
    "precision not a number": ([*IMAGE, "--precision", "nan"], "--precision"),
    "negative precision": ([*IMAGE, "--precision", "-0.1"], "--precision"),
    "confidence of one": ([*IMAGE, "--confidence", "1"], "--confidence"),
    "no workers": ([*IMAGE, "--workers", "0"], "--workers"),
    "half a worker": ([*IMAGE, "--workers", "1.5"], "whole number"),
    "half a seed": ([*IMAGE, "--seed", "2.5"], "whole number"),
    "coarsened by half": ([*IMAGE, "--coarsen", "1.5"], "whole number"),
    "negative seed": ([*IMAGE, "--seed", "-1"], "--seed"),
    "plane of conduction": ([*IMAGE, "--plane", "strain"], "plane"),
    "dimensions of an image": ([*IMAGE, "--dimensions", "2"], "--dimensions"),
    "misspelt option": ([*IMAGE, "--precison", "0.1"], "Did you mean --precision"),
    "parameter for an image": ([*IMAGE, "--tile", "2"], "--tile"),
    "macro length without spacing": ([*IMAGE, "--macro-length", "1mm"], "--spacing"),
    "macro length of no length": ([*IMAGE, "--macro-length", "1K", "--spacing", "1um"], "length"),
    "macro length of zero": ([*IMAGE, "--macro-length", "0mm", "--spacing", "1um"], "positive"),
    "output is a file": ([*IMAGE, "--output", "image.npy"], "not a folder"),
    "output below a file": ([*IMAGE, "--output", "image.npy/out"], "a file, not a folder"),
    "generator without realizations": ([*BOARD, "--sizes", "8"], "--realizations"),
    "generator parameter missing": (["checkerboard", *LAWS], "--tile"),
    "generator parameter unknown": ([*BOARD, "--tlie", "3"], "did you mean --tile"),
    "image option of a generator": ([*BOARD, "--threshold", "3"], "--threshold is for images"),
    "size that does not fit": ([*BOARD, "--sizes", "7", "--realizations", "2"], "tile"),
    "smallest does not fit": (
        ["overlapping-spheres", "--radius", "6", "--fraction", "0.3", *LAWS, "--sizes", "8,32",
         "--realizations", "2"],
        "radius",
    ),
    "label of a generator without law": ([*BOARD[:10], "--sizes", "8", "--realizations", "2"], "label 1"),
    "law of a label never drawn": ([*BOARD, "--phase", "2:k=3", "--sizes", "8", "--realizations", "2"], "label 2"),
    "grains where there are none": (
        [*BOARD, "--phase", "grain:k=1", "--sizes", "8", "--realizations", "2"],
        "draws none",
    ),
    "grains without law": (
        ["voronoi-polycrystal", "--grain-volume", "60", "--dimensions", "2", *LAWS, "--sizes", "16",
         "--realizations", "2"],
        "--phase grain:",
    ),
    "law of the grains twice": (
        ["voronoi-polycrystal", "--grain-volume", "60", "--physics", "conduction", "--phase", "grain:k=1",
         "--phase", "grains:k=2"],
        "twice",
    ),
    "too large": ([*BOARD, "--sizes", "1000000", "--realizations", "2"], "memory"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gets_one_message_and_exit_code_2(
    case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(*_: Any, **__: Any) -> None:
        raise AssertionError("the study was started in spite of the mistake")

    monkeypatch.setattr("scalebridge.study.representative_run.representativity", unexpected)
    random_image()
    words, message = MISTAKES[case]
    assert_one_message(capsys, message, "rve", *words)
    assert [path.name for path in Path().iterdir()] == ["image.npy"], "a refused study leaves nothing behind"


def test_no_arguments_make_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    random_image()
    chance = random.Random(5)
    sources = [["image.npy"], ["checkerboard", "--tile", "2", "--dimensions", "2"], ["laminate"], ["nothing"]]
    values = ["1", "0", "-1", "8", "8,16", "0.5", "1e999", "nan", "", " ", "a", ",", "9" * 400, "periodic", "kubc,subc",
              "0:k=1", "1:k=2", "grain:k=1", "grain:", ":", "0:k=", "1um", "--", "é", "2", "x=3", "[1,2]"]  # fmt: skip
    options = ["--sizes", "--bc", "--realizations", "--precision", "--confidence", "--seed", "--workers", "--plane",
               "--dimensions", "--macro-length", "--spacing", "--threshold", "--crop", "--phase", "--physics",
               "--tile", "--random", "--axis", "--json", "--quiet", "--x", "-x", "-o", "--coarsen"]  # fmt: skip
    good = 0
    for number in range(300):
        words = ["rve", *chance.choice(sources), *LAWS, "--dry-run", "--output", f"out{number}"]
        if chance.random() < 0.6:
            words += ["--sizes", "8", "--realizations", "2"]
        for _ in range(chance.randint(0, 3)):
            words.append(chance.choice(options))
            if chance.random() < 0.8:
                words.append(chance.choice(values))
        code, _, err = run(capsys, *words)
        assert code in (0, 2), (words, err)
        assert "Traceback" not in err, words
        assert "fault of scalebridge" not in err, words
        assert code != 2 or err.count("error:") == 1, words
        good += code == 0
    assert good > 10
