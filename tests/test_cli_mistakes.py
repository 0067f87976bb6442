"""The command line answers mistakes with one message and exit code 2."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from cli_support import TWO_PHASES, FakeSolver, assert_one_message, fake_solver, run, small_image
from scalebridge.homogenize.forecast import Estimate
from scalebridge.study.folder import claim

image = pytest.fixture(small_image)
solver = pytest.fixture(fake_solver)


MISTAKES = {
    "missing file": (["no.npy", *TWO_PHASES], "no.npy"),
    "label without law": (["image.npy", "--physics", "conduction", "--phase", "0:k=1"], "No law for label 1"),
    "law without label": (["image.npy", *TWO_PHASES, "--phase", "7:k=1"], "label 7"),
    "label twice": (["image.npy", *TWO_PHASES, "--phase", "1:k=1"], "label 1 2 times"),
    "negative property": (
        ["image.npy", "--physics", "conduction", "--phase", "0:k=-1", "--phase", "1:k=1"],
        "Phase 0",
    ),
    "zero everywhere": (
        ["image.npy", "--physics", "conduction", "--phase", "0:k=0", "--phase", "1:k=0"],
        "zero",
    ),
    "nu too large": (
        ["image.npy", "--physics", "elasticity", "--phase", "0:E=1,nu=0.5", "--phase", "1:E=1,nu=0.3"],
        "nu",
    ),
    "unknown property": (
        ["image.npy", "--physics", "conduction", "--phase", "0:kk=1"],
        "Unknown property 'kk'",
    ),
    "missing property": (["image.npy", "--physics", "elasticity", "--phase", "0:E=1"], "nu is missing"),
    "wrong dimension": (["image.npy", "--physics", "elasticity", "--phase", "0:E=2m,nu=0.3"], "length"),
    "unknown unit": (["image.npy", "--physics", "elasticity", "--phase", "0:E=2GPu,nu=0.3"], "GPu"),
    "not a number": (["image.npy", "--physics", "conduction", "--phase", "0:k=abc"], "number"),
    "infinite": (["image.npy", "--physics", "conduction", "--phase", "0:k=1e999"], "finite"),
    "no label": (["image.npy", "--physics", "conduction", "--phase", "k=1"], "no label"),
    "no value": (["image.npy", "--physics", "conduction", "--phase", "0:k"], "not key=value"),
    "no phase": (["image.npy", "--physics", "conduction"], "--phase"),
    "no physics": (["image.npy", "--phase", "0:k=1"], "--physics"),
    "no image": (TWO_PHASES, "IMAGE"),
    "unknown physics": (
        ["image.npy", "--physics", "conducton", "--phase", "0:k=1"],
        'Did you mean "conduction"',
    ),
    "unknown option": (["image.npy", *TWO_PHASES, "--acuracy", "1"], "Did you mean --accuracy"),
    "accuracy no number": (["image.npy", *TWO_PHASES, "--accuracy", "good"], "--accuracy"),
    "accuracy negative": (["image.npy", *TWO_PHASES, "--accuracy", "-0.1"], "--accuracy"),
    "accuracy and residual": (
        ["image.npy", *TWO_PHASES, "--accuracy", "0.1", "--residual", "1e-6"],
        "not both",
    ),
    "spacing of no length": (["image.npy", *TWO_PHASES, "--spacing", "5K"], "length"),
    "spacing count": (["image.npy", *TWO_PHASES, "--spacing", "1um,2um"], "2 spacings"),
    "threshold no number": (["image.npy", *TWO_PHASES, "--threshold", "a"], "'a' is not a number"),
    "thresholds descend": (["image.npy", *TWO_PHASES, "--threshold", "3,2"], "increase"),
    "axis without faces": (["image.npy", *TWO_PHASES, "--axis", "x"], "axis"),
    "axis of a flat image": (["flat.npy", *TWO_PHASES, "--bc", "faces", "--axis", "z"], "no axis z"),
    "plane of a solid": (["image.npy", *TWO_PHASES, "--plane", "strain"], "plane state"),
    "platens without a solid": (
        ["image.npy", *TWO_PHASES, "--bc", "faces", "--platens", "smooth"],
        "platens (smooth) is for elasticity",
    ),
    "crop outside": (["image.npy", *TWO_PHASES, "--crop", "0:99,:,:"], "8 voxels"),
    "mirror unknown": (["image.npy", *TWO_PHASES, "--mirror", "w"], "--mirror"),
    "unknown condition": (["image.npy", *TWO_PHASES, "--conditions", "kubs"], "--conditions"),
    "raw size": (["image.npy", *TWO_PHASES, "--raw-shape", "9,9,9"], "9"),
    "raw shape": (["image.npy", *TWO_PHASES, "--raw-shape", "9,a,9"], "whole number"),
    "grey as labels": (["grey.npy", *TWO_PHASES], "threshold"),
    "floating-point": (["float.npy", *TWO_PHASES], "threshold"),
    "not finite": (["nan.npy", *TWO_PHASES, "--threshold", "0.5"], "not a number"),
    "complex": (["complex.npy", *TWO_PHASES], "complex"),
    "truncated": (["truncated.npy", *TWO_PHASES], "truncated.npy"),
    "output is a file": (["image.npy", *TWO_PHASES, "--output", "image.npy"], "not a folder"),
    "output below a file": (["image.npy", *TWO_PHASES, "--output", "image.npy/out"], "a file, not a folder"),
    "two units": (
        ["image.npy", "--physics", "conduction", "--phase", "0:k=1 S/m", "--phase", "1:k=1 W/(m K)"],
        "same quantity",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_message_and_exit_code_2(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    np.save("flat.npy", np.eye(4, dtype=np.uint8))
    np.save("grey.npy", np.arange(1000, dtype=np.uint16).reshape(10, 10, 10))
    np.save("float.npy", np.linspace(0, 1, 64).reshape(4, 4, 4))
    np.save("nan.npy", np.full((4, 4, 4), np.nan))
    np.save("complex.npy", np.ones((4, 4, 4), complex))
    Path("truncated.npy").write_bytes(Path(image).read_bytes()[:-20])
    words, message = MISTAKES[name]
    assert_one_message(capsys, message, "homogenize", *words)
    assert not solver.asked, "the solver was started in spite of the mistake"


def test_an_image_larger_than_memory_is_refused_with_the_estimate(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    much = Estimate(10**15, 1.0, 12, 3)
    monkeypatch.setattr("scalebridge.study.run.estimate", lambda *_, **__: much)
    code, _, err = run(capsys, "homogenize", image, *TWO_PHASES)
    assert code == 2
    assert "1 PB" in err
    assert not solver.asked


def test_a_disk_that_fills_up_during_the_run_is_one_message(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run(capsys, "homogenize", image, *TWO_PHASES, "--output", "out")
    assert code == 2
    assert "disk is full" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), OSError("4096 requested and 12 written")],
    ids=["system", "numpy"],
)
def test_scratch_files_without_room_are_one_message(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str], error: OSError
) -> None:
    def full(**_: object) -> None:
        raise error

    solver.answer = full
    code, out, err = run(capsys, "homogenize", image, *TWO_PHASES, "--json")
    assert (code, out) == (2, "")
    assert "TMPDIR" in err
    assert err.count("\n") == 1


# What is wrong with the place of the results is said before a large image is read.


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read of an image: must stay empty."""
    read: list[str] = []
    for module in ("study.plan", "study.images"):
        name = "prepare_image" if module == "study.plan" else "read_image"
        monkeypatch.setattr(f"scalebridge.{module}.{name}", lambda *_, **__: read.append("image"))
    return read


def full_disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    from scalebridge.core import files

    usage = files.shutil.disk_usage(".")._replace(free=free)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)


def read_only_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    from scalebridge.core import files

    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)


WRITERS = {
    "homogenize": ["homogenize", "image.npy", *TWO_PHASES, "--output", "new/out"],
    "inspect": ["inspect", "image.npy"],
    "picture": ["inspect", "image.npy", "--picture", "slices.pdf"],
    "convert": ["convert", "image.npy", "again.npy"],
}


@pytest.mark.parametrize("command", WRITERS)
def test_a_read_only_disk_is_noticed_before_the_image_is_read(
    image: str,
    solver: FakeSolver,
    unread: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    read_only_disk(monkeypatch)
    code, out, err = run(capsys, *WRITERS[command])
    assert (code, out, unread) == (2, "", [])
    assert "read-only" in err
    assert err.count("\n") == 1
    assert os.listdir() == [image], "a refused run leaves nothing behind"


@pytest.mark.parametrize("command", WRITERS)
def test_a_full_disk_is_noticed_before_the_image_is_read(
    image: str,
    solver: FakeSolver,
    unread: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    full_disk(monkeypatch, free=100)
    code, out, err = run(capsys, *WRITERS[command])
    assert (code, out, unread) == (2, "", [])
    assert "100 bytes are free" in err
    assert err.count("\n") == 1


def test_the_room_for_the_fields_is_known_from_the_header(
    image: str,
    solver: FakeSolver,
    unread: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    np.save("large.npy", np.zeros((100, 100, 200), np.uint8))
    words = ["homogenize", "large.npy", *TWO_PHASES, "--output", "out", "--fields"]
    full_disk(monkeypatch, free=200_000_000)
    code, _, err = run(capsys, *words)
    assert (code, unread) == (2, [])
    assert "245 MB are needed" in err  # 2e6 voxels x 3 loads x (8 fields x 4 bytes + 8 bytes), and the report
    run(capsys, *words, "--coarsen", "2")
    assert unread == ["image"], "an eighth of it fits"


def test_another_run_in_the_folder_is_noticed_before_the_image_is_read(
    image: str, solver: FakeSolver, unread: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with claim("out"):
        code, out, err = run(capsys, "homogenize", image, *TWO_PHASES, "--output", "out", "--force")
    assert (code, out, unread) == (2, "", [])
    assert "Another run is at work in out" in err


def test_a_refused_image_leaves_no_folder_behind(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["homogenize", image, "--physics", "conduction", "--phase", "7:k=1", "--output", "new/out"]
    assert run(capsys, *words)[0] == 2
    assert os.listdir() == [image]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "image.npy", "image.xyz"], "'.xyz' is none of"),
        (["convert", "image.npy", "no/image.tif"], "the folder does not exist"),
        (["convert", "image.npy", "taken.h5:/labels"], "--force"),
        (["convert", "image.npy", "."], "none of"),
        (["inspect", "image.npy", "--picture", "taken.png"], "--force"),
        (["inspect", "image.npy", "--picture", "slices.xyz"], "'.xyz' is none of"),
        (["inspect", "image.npy", "--picture", "no/slices.png"], "the folder does not exist"),
        (["homogenize", "image.npy", *TWO_PHASES, "-o", "taken.h5/out"], "a file, not a folder"),
    ],
)
def test_a_name_that_cannot_be_written_is_refused_before_the_image_is_read(
    image: str,
    solver: FakeSolver,
    unread: list[str],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    Path("taken.h5").write_bytes(b"kept")
    Path("taken.png").write_bytes(b"kept")
    code, out, err = run(capsys, *words)
    assert (code, out, unread) == (2, "", [])
    assert message in err
    assert Path("taken.h5").read_bytes() == Path("taken.png").read_bytes() == b"kept"


def test_a_name_that_is_no_text_is_answered(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(b"caf\xe9.npy")
    Path(image).rename(name)
    for words in (["homogenize", name, *TWO_PHASES, "--json"], ["inspect", name], ["run", name]):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, "")
        assert r"caf\xe9.npy" in err
        assert "Traceback" not in err
        assert "fault of scalebridge" not in err


def test_fields_that_nobody_keeps_are_noted(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "homogenize", image, *TWO_PHASES, "--fields", "--dry-run")
    assert "not kept" in out
    _, out, _ = run(capsys, "homogenize", image, *TWO_PHASES, "--fields", "--dry-run", "--output", "out")
    assert "not kept" not in out
