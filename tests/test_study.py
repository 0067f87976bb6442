"""Study files: what is understood, what is refused and how, and that a run can be repeated."""

from __future__ import annotations

import contextlib
import random
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.errors import InputError, LawError, OutputError, PhaseError, StudyError, UnitError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.study.example import EXAMPLE
from scalebridge.study.folder import RunFolder, check_output, claim, run_key, settings_seen_from
from scalebridge.study.images import parse_ranges
from scalebridge.study.parse import load_study, parse_study, study_from_data
from scalebridge.study.plan import check_labels, prepare
from scalebridge.study.toml_text import to_toml

SMALL = """
[image]
path = "image.npy"
[physics]
kind = "conduction"
[[phase]]
label = 0
properties = { k = 1 }
[[phase]]
label = 1
properties = { k = "2.5+-0.1 W/(m K)" }
"""


def _write_image(folder: Path, shape: tuple[int, ...] = (6, 5, 4)) -> np.ndarray:
    labels = (np.arange(np.prod(shape)).reshape(shape) % 3 == 0).astype(np.uint8)
    np.save(folder / "image.npy", labels)
    return labels


def test_the_example_is_valid_and_all_its_comments_are_too() -> None:
    study = parse_study(EXAMPLE)
    assert study.physics.kind == "conduction"
    assert [phase.label for phase in study.phase] == [0, 1]
    # Every "# key = value" line must be understood where it stands: a wrong example is worse than none.
    for number, line in enumerate(EXAMPLE.splitlines()):
        body = line.removeprefix("# ")
        if line.startswith("# ") and " = " in body.split("#")[0] and body[0].islower():
            lines = EXAMPLE.splitlines()
            lines[number] = body
            text = "\n".join(lines)
            if body.startswith("residual"):
                text = text.replace("target = 0.01", "")
            if body.startswith(("axis", "platens", "sides")):
                text = text.replace('condition = "periodic"', 'condition = "faces"')
            if body.startswith("otsu"):
                text = text.replace("threshold = [90, 140]", "")
            parse_study(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[physics]", "[phyics]"), "did you mean 'physics'"),
        (('path = "image.npy"', 'pth = "image.npy"'), "did you mean 'path'"),
        (("kind =", "kond ="), "did you mean 'kind'"),
        (('"conduction"', '"conductivity"'), "physics.kind: 'conductivity' is not valid"),
        (("label = 1", "label = 0"), "label 0 is given 2 times"),
        (("label = 1", "label = true"), "phase.1.label"),
        (("label = 1", "label = 1.5"), "phase.1.label"),
        (("label = 1", 'label = 1\nnam = "x"'), "did you mean 'name'"),
        (("[image]", "'i[age' = 2\n[image]"), "did you mean 'image'"),
        (("[image]", "[image]\nthreshold = [3, 2]"), "thresholds must increase"),
        (("[image]", "[image]\nthreshold = [nan]"), "image.threshold"),
        (("[image]", "[image]\nspacing = true"), "image.spacing"),
        (("[image]", "[image]\nthreshold = [3]\notsu = 2"), "either threshold or otsu"),
        (("[image]", "[accuracy]\ntarget = 0.1\nresidual = 1e-6\n[image]"), "either target or residual"),
        (("[image]", "[accuracy]\ntarget = -1\n[image]"), "accuracy.target"),
        (("[image]", '[boundary]\naxis = "x"\n[image]'), "only for condition"),
        (("[image]", '[boundary]\ncondition = "peridic"\n[image]'), "boundary.condition"),
        (("[image]", "[image\n"), "not valid TOML"),
        (("[image]", "x = " + "[" * 3000 + "\n[image]"), "not valid TOML"),
        (("label = 1", "label = " + "1" * 6000), "not valid TOML"),
        (('path = "image.npy"', 'path = "im\\u0000age.npy"'), "image.path"),
    ],
)
def test_a_mistake_is_answered_by_one_message_that_names_it(change: tuple[str, str], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(SMALL.replace(*change, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_section_is_named() -> None:
    with pytest.raises(StudyError, match="'physics' is missing"):
        study_from_data({"image": {"path": "a.npy"}, "phase": [{"label": 0, "properties": {"k": 1}}]})


def test_overrides_reach_every_key() -> None:
    study = parse_study(
        SMALL,
        [
            "phase.1.k=3.5",
            "phase.0.properties.k=2 W/(m K)",
            "phase.7.k=9",
            "image.spacing=5.345um",
            "accuracy.target=0.02",
            "output.fields=true",
            'boundary.compare=["kubc"]',
        ],
    )
    assert [phase.properties for phase in study.phase] == [{"k": "2 W/(m K)"}, {"k": 3.5}, {"k": 9}]
    assert study.image.spacing == "5.345um"
    assert study.accuracy.target == 0.02
    assert study.output.fields is True
    assert study.boundary.compare == ["kubc"]


def test_an_override_takes_the_place_of_a_key_that_excludes_it() -> None:
    text = SMALL.replace('"image.npy"', '"image.npy"\nthreshold = [1]') + "[accuracy]\ntarget = 0.01\n"
    study = parse_study(text, ["accuracy.residual=1e-6", "image.otsu=2"])
    assert (study.accuracy.target, study.accuracy.residual) == (None, 1e-6)
    assert (study.image.threshold, study.image.otsu) == (None, 2)
    assert parse_study(text, ["accuracy.target=0.02"]).accuracy.target == 0.02
    with pytest.raises(StudyError, match="not both"):
        parse_study(text, ["accuracy.residual=1e-6", "accuracy.target=0.02"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("accuracy", "expected key=value"),
        ("acuracy.target=1e-3", "did you mean 'accuracy'"),
        ("accuracy.taget=1e-3", "did you mean 'target'"),
        ("phase.one.k=3", "whole number"),
        ("phase.1=3", "phase.LABEL.PROPERTY"),
        ("image.path.x=3", "not a section"),
        ("image..x=3", "expected key=value"),
    ],
)
def test_a_wrong_override_is_explained(override: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        parse_study(SMALL, [override])


def test_a_missing_or_binary_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="scalebridge init"):
        load_study(tmp_path / "nothing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="UTF-8"):
        load_study(tmp_path / "binary.toml")


plain = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), plain, max_size=4))
def test_what_is_written_as_toml_is_read_back(data: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(data)) == data


@given(st.tuples(st.integers(0, 20), st.integers(1, 20)))
def test_ranges_are_slices_inside_the_image(pair: tuple[int, int]) -> None:
    start, length = pair
    (found, whole) = parse_ranges(f" {start}:{start + length} ,:", (40, 7))
    assert (found, whole) == (slice(start, start + length), slice(0, 7))


@pytest.mark.parametrize(
    "text", ["0:10", "0:10,0:10,0:10", "5:5,:", "a:b,:", "0:41,:", "9:3,:", "1,2", "0:9" * 9]
)
def test_ranges_outside_the_image_are_refused(text: str) -> None:
    with pytest.raises(StudyError, match="crop"):
        parse_ranges(text, (40, 7))


def test_a_plan_holds_the_image_and_laws_of_the_study(tmp_path: Path) -> None:
    labels = _write_image(tmp_path)
    study = parse_study(SMALL, ["image.crop=0:4,:,1:3", 'image.mirror=["x"]', "image.spacing=2um"])
    plan = prepare(study, tmp_path)
    cropped = labels[0:4, :, 1:3]
    np.testing.assert_array_equal(plan.image.labels, np.concatenate([cropped, cropped[::-1]]))
    assert plan.image.grid.spacing == pytest.approx((2e-6,) * 3)
    assert plan.laws[1].parameters["k"].deviation == pytest.approx(0.1)  # type: ignore[attr-defined]
    assert "8 x 5 x 2 voxels" in plan.words


def _image(*labels: int) -> PhaseImage:
    values = np.array(labels, np.uint8).reshape(1, -1)
    return PhaseImage(values, VoxelGrid(values.shape))


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["phase.0.k=-1"], LawError, "Phase 0: "),
        (["phase.0.kk=1"], LawError, "Phase 0: Unknown property 'kk'"),
        (["phase.0.k=2 GPa"], UnitError, "Phase 0: "),
        (["phase.0.k=2 S/m"], UnitError, "same quantity"),
        (["phase.0.k=0", "phase.1.k=0"], LawError, "property zero"),
        (["phase.5.k=1"], PhaseError, "label 5"),
        (["phase.0.label=3"], PhaseError, "No law for label 0"),
        (["image.path=no.npy"], InputError, "no.npy"),
        (["physics.plane=strain"], StudyError, "plane state"),
        (["image.spacing=5 K"], UnitError, "length"),
        (["boundary.condition=faces", "boundary.axis=z", "image.path=flat.npy"], InputError, "no axis z"),
        (["phase.0.orientations=image.npy"], StudyError, "one rotation per voxel"),
        (["phase.0.rotation=[[1,0,0],[0,1,0],[0,0,2]]"], LawError, "Phase 0: "),
        (["image.coarsen=7"], InputError, "7"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    tmp_path: Path, overrides: list[str], error: type[InputError], message: str
) -> None:
    _write_image(tmp_path)
    np.save(tmp_path / "flat.npy", np.eye(4, dtype=np.uint8))
    with pytest.raises(error) as caught:
        prepare(parse_study(SMALL, overrides), tmp_path)
    assert message in str(caught.value)


def test_labels_and_laws_must_match() -> None:
    law = prepare_law()
    with pytest.raises(PhaseError, match=r"No law for label 2, which fills 25\.00%"):
        check_labels(_image(0, 1, 1, 2), {0: law, 1: law})
    with pytest.raises(PhaseError, match="label 5, which does not occur"):
        check_labels(_image(0, 1), {0: law, 1: law, 5: law})


def prepare_law() -> Any:
    from scalebridge.material import Conduction

    return Conduction.isotropic(k=1.0)


def test_settings_lead_to_the_image_from_another_folder(tmp_path: Path) -> None:
    _write_image(tmp_path)
    study = parse_study(SMALL, ["output.folder=somewhere", "output.fields=true"])
    target = tmp_path / "results" / "first"
    target.mkdir(parents=True)
    (target / "study.toml").write_text(to_toml(settings_seen_from(target, study, tmp_path)))
    again = load_study(target / "study.toml")
    assert again.output.folder is None
    assert again.output.fields is True
    np.testing.assert_array_equal(prepare(again, target).image.labels, prepare(study, tmp_path).image.labels)
    inside = parse_study(SMALL, ["image.path=volume.h5:/a/b"])
    assert settings_seen_from(target, inside, tmp_path)["image"]["path"] == "../../volume.h5:/a/b"


def test_the_key_of_a_run_depends_on_inputs_settings_and_version() -> None:
    keys = {
        run_key({"image": "a"}, {"k": 1}, "0.1"),
        run_key({"image": "b"}, {"k": 1}, "0.1"),
        run_key({"image": "a"}, {"k": 2}, "0.1"),
        run_key({"image": "a"}, {"k": 1}, "0.2"),
    }
    assert len(keys) == 4
    assert run_key({"image": "a"}, {"x": 1, "y": 2}, "1") == run_key({"image": "a"}, {"y": 2, "x": 1}, "1")


@contextlib.contextmanager
def begun(path: Path, key: str, *, force: bool = False) -> Iterator[RunFolder]:
    """A run that claimed the folder and said what it computes."""
    with claim(path, force=force) as claimed:
        folder = claimed.run(key)
        folder.begin("# study")
        yield folder


def test_a_finished_folder_is_not_overwritten(tmp_path: Path) -> None:
    with begun(tmp_path / "run", "key") as folder:
        (folder.path / "result.json").write_text("{}")
        folder.finish({"time": 1}, ("result.json",))
    assert sorted(p.name for p in folder.path.iterdir()) == ["provenance.json", "result.json", "study.toml"]
    with pytest.raises(OutputError, match="--force"), claim(tmp_path / "run"):
        pass
    (folder.path / "fields.vti").write_text("from the earlier run")
    with begun(tmp_path / "run", "key", force=True) as folder:
        folder.finish({"time": 2}, ("result.json",))
    assert not (folder.path / "fields.vti").exists(), "results of two runs are mixed"


def test_files_of_others_are_safe(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with begun(tmp_path, "key") as folder:
        folder.finish({}, ())
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "provenance.json").unlink()
    (tmp_path / "study.toml").unlink()
    (tmp_path / "report.html").write_text("mine too")
    with pytest.raises(OutputError, match=r"report\.html"), claim(tmp_path):
        pass
    assert (tmp_path / "report.html").read_text() == "mine too"


def test_an_interrupted_run_is_resumed_only_with_the_same_key(tmp_path: Path) -> None:
    def interrupted() -> None:
        with begun(tmp_path, "first") as folder:
            folder.store.put("load x", {"u": np.arange(3.0)})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with begun(tmp_path, "other") as folder:
        assert not folder.resumed
        assert folder.store.get("load x") is None
    with begun(tmp_path, "first") as folder:
        assert folder.resumed
        assert folder.store.get("load x") is not None
        folder.finish({}, ())
    assert not (tmp_path / ".checkpoint").exists()


def test_a_run_that_was_stopped_before_its_first_load_is_not_in_its_own_way(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), begun(tmp_path, "key"):
        raise KeyboardInterrupt
    with begun(tmp_path, "key") as folder:
        assert not folder.resumed, "there is nothing to go on with"


def test_a_run_that_failed_early_leaves_nothing_behind(tmp_path: Path) -> None:
    for place in (tmp_path / "new", tmp_path / "new" / "below"):
        with pytest.raises(LawError), claim(place):
            raise LawError("a mistake")
    with claim(tmp_path / "new") as claimed:
        assert not claimed.run("key").resumed
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_while_it_read_the_image_does_not_give_its_results_away(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint").mkdir()
    (tmp_path / ".checkpoint" / "lock").touch()
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(OutputError, match="--force"), claim(tmp_path):
        pass


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        claim(tmp_path),
        pytest.raises(OutputError, match="Another run"),
        claim(tmp_path),
    ):
        pass


def test_a_full_disk_is_noticed_before_the_work(tmp_path: Path) -> None:
    with claim(tmp_path) as claimed, pytest.raises(OutputError, match="are free"):
        claimed.run("a", needed_bytes=10**18)


def test_thousands_of_mutated_studies_are_valid_or_refused(tmp_path: Path) -> None:
    _write_image(tmp_path)
    source = random.Random(20261120)
    base = [
        EXAMPLE,
        SMALL,
        SMALL.replace("conduction", "elasticity").replace("k = 1", 'E = "1 GPa", nu = 0.3'),
    ]
    pieces = [*"[]=\".-{}'#\n\x00é\ud7ff", "1e999", "nan", "inf", "true", "[[phase]]", "0x1F", "1979-05-27"]
    pieces += ["=\n", '"""', "label", "k", "nu = 0.5", "9" * 20]
    start, refused, valid, longest = time.process_time(), 0, 0, 0
    for _ in range(8000):
        text = source.choice(base)
        for _ in range(source.randint(1, 4)):
            a, b = sorted(source.randrange(len(text) + 1) for _ in range(2))
            b = min(b, a + source.randint(0, 12))
            kind = source.randrange(4)
            if kind == 0:
                text = text[:a] + text[b:]
            elif kind == 1:
                text = text[:a] + source.choice(pieces) + text[a:]
            elif kind == 2:
                text = text[:a] + text[a:b] * 3 + text[b:]
            else:
                text = text[:a] + chr(source.randrange(1, 300)) + text[a + 1 :]
        try:
            study = parse_study(text)
        except StudyError as error:
            refused += 1
            longest = max(longest, len(str(error)))
            continue
        valid += 1
        tomllib.loads(to_toml(study.settings()))
        if valid % 10 == 0:
            try:
                prepare(study, tmp_path)
            except InputError:
                continue
    assert refused > 800
    assert longest < 5000
    assert valid > 800
    assert time.process_time() - start < 30


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Cannot write"):
        check_output(tmp_path / ("x" * 300))


def test_a_question_ends_with_one_mark() -> None:
    with pytest.raises(StudyError, match=r"did you mean 'accuracy'\?$"):
        parse_study(EXAMPLE, ["acuracy.target=0.1"])
    with pytest.raises(StudyError, match=r"known here: .*\.$"):
        parse_study(EXAMPLE, ["zzz=1"])
