"""Studies of paths: legs in words, what cells can bear, orientations of grains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli_support import assert_one_message, run
from path_support import CELL, METAL, PULL, own_folder
from scalebridge.cli.path import _law
from scalebridge.core.errors import StudyError
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.material.kinematics import FINITE_STRAIN, GRADIENT, SMALL_STRAIN
from scalebridge.material.laws.crystal import CubicCrystal
from scalebridge.study.path_legs import build_leg
from scalebridge.study.path_orientations import split_into_grains
from scalebridge.study.path_parse import path_study_from_data
from scalebridge.study.path_plan import prepare_path
from scalebridge.study.path_schema import LegSection

folder = pytest.fixture(own_folder)


def test_a_free_rest_at_finite_strain_leaves_no_rotation() -> None:
    section = LegSection(components={"F_xx": 1.1}, rest="free", steps=3)
    leg = build_leg(section, 1, FINITE_STRAIN, 3)
    assert leg.drive == {"xx": 1.1, "yx": 0.0, "zx": 0.0, "zy": 0.0}
    assert leg.flux == dict.fromkeys(("xy", "xz", "yy", "yz", "zz"), 0.0)
    held = build_leg(LegSection(components={"F_xy": 0.3}), 1, FINITE_STRAIN, 2)
    assert held.drive == {"xy": 0.3, "xx": 1.0, "yx": 0.0, "yy": 1.0}
    with pytest.raises(StudyError, match="write F_xx for the deformation gradient"):
        build_leg(LegSection(components={"xx": 0.1}), 1, FINITE_STRAIN, 3)
    with pytest.raises(StudyError, match="no component 'F_zz'"):
        build_leg(LegSection(components={"F_zz": 1.1}), 1, FINITE_STRAIN, 2)


def test_cauchy_stresses_are_said_at_finite_strain() -> None:
    leg = build_leg(LegSection(components={"s_xx": "2 MPa", "s_yx": 3.0}, rest="free"), 1, FINITE_STRAIN, 3)
    assert leg.cauchy == {"xx": pytest.approx(2e6), "xy": 3.0}
    assert leg.flux == dict.fromkeys(("xz", "yy", "yz", "zz"), 0.0)
    assert leg.drive == {"yx": 0.0, "zx": 0.0, "zy": 0.0}
    with pytest.raises(StudyError, match="component xx is given twice"):
        build_leg(LegSection(components={"s_xx": 1.0, "P_xx": 1.0}), 1, FINITE_STRAIN, 3)


def test_legs_of_transport_and_mirrored_shears() -> None:
    leg = build_leg(LegSection(components={"x": 2.0, "q_y": 3.0}, rest="free"), 1, GRADIENT, 3)
    assert (leg.drive, leg.flux) == ({"x": 2.0}, {"y": 3.0, "z": 0.0})
    sheared = build_leg(LegSection(components={"yx": "1 %", "s_zx": "2 MPa"}), 1, SMALL_STRAIN, 3)
    assert sheared.drive["xy"] == pytest.approx(0.01)
    assert sheared.flux == {"xz": pytest.approx(2e6)}


def test_the_message_counts_legs_as_people_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*CELL, "--leg", PULL, "--leg", "xx=1% steps=0"]
    assert_one_message(capsys, "--leg number 2, steps", *words)


RUBBER = ["--law", "0:neo-hooke,E=2MPa,nu=0.4", "--law", "1:void"]


@pytest.mark.parametrize(
    ("leg", "message"),
    [
        ("F_xx=0 rest=free", "F_xx = 0 leaves nothing of the cell"),
        ("F_xx=-1.1 rest=free", "F_xx = -1.1 leaves nothing"),
        ("F_xy=2 F_yx=2", "det F = -3 turns the cell inside out"),
    ],
)
def test_a_cell_is_not_turned_inside_out(
    leg: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_message(capsys, message, "path", "image.npy", *RUBBER, "--leg", leg)


def test_possible_deformations_are_let_through() -> None:
    for components in ({"F_xy": 2.0, "F_yx": 0.4}, {"F_xx": -1.0, "F_yy": -1.0, "F_xy": 0.1, "F_yx": -0.2}):
        build_leg(LegSection(components=components), 1, FINITE_STRAIN, 3)


@pytest.mark.parametrize("leg", ["zz=1%", "s_zz=1MPa", "xz=1%", "e_yz=0.01"])
def test_components_out_of_a_plane_are_refused(
    leg: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("flat.npy", np.zeros((4, 4), np.uint8))
    name = leg.split("=")[0]
    assert_one_message(
        capsys,
        f"there is no component '{name}' at small strain in 2-D",
        "path",
        "flat.npy",
        "--law",
        METAL,
        "--leg",
        leg,
    )


def test_a_strain_that_is_not_small_is_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *CELL,
        "--dry-run",
        "--json",
        "--leg",
        PULL,
        "--leg",
    ]
    for leg, noted in (("xx=200%", True), ("xx=5%", False)):
        code, out, err = run(capsys, *words, leg)
        assert code == 0, err
        assert ("leg 2 goes to a strain of 2" in out) == noted


CRYSTAL = "0:fcc-crystal,C11=170GPa,C12=124GPa,C44=75GPa,resistance=16MPa,"
CRYSTAL += "saturation=0,hardening_rate=0,rate=1e-3/s,n=10"


def turns(*angles: float) -> np.ndarray:
    """Rotations (3, 3, 4, 4, 4) about z, the cell cut across x in as many equal layers."""
    layers = [[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in angles]
    along = np.repeat(np.array(layers), 4 // len(angles), axis=0)
    return np.broadcast_to(np.moveaxis(along, 0, -1)[:, :, :, None, None], (3, 3, 4, 4, 4)).copy()


def test_orientations_from_voxel_to_voxel_make_grains(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("turns.npy", turns(0.1, 0.2, 0.1, 0.3))
    words = ["path", "image.npy", "--law", f"{CRYSTAL},orientations=turns.npy", "--law", "1:void"]
    code, out, err = run(capsys, *words, "--leg", PULL, "--dry-run")
    assert code == 0, err
    text = " ".join(out.split())
    assert "3 orientations of label 0 became labels 2 to 4" in text
    assert "in 3 orientations, 87.50% of the volume" in text
    study = path_study_from_data(
        {
            "image": {"path": "image.npy"},
            "law": [_law(f"{CRYSTAL},orientations=turns.npy"), {"label": 1, "law": "void"}],
            "leg": [{"components": {"xx": 0.01}}],
        }
    )
    plan = prepare_path(study, folder)
    assert sorted(plan.laws) == [1, 2, 3, 4]
    assert plan.grains == {0: (2, 3, 4), 1: (1,)}
    assert plan.inputs["orientations of label 0"] == folder / "turns.npy"
    before = np.load("image.npy")
    for x, angle in enumerate((0.1, 0.2, 0.1, 0.3)):
        (label,) = set(plan.image.labels[x][before[x] == 0].tolist())
        law = plan.laws[label]
        assert isinstance(law, CubicCrystal)
        np.testing.assert_allclose(law.orientation @ [1, 0, 0], [np.cos(angle), np.sin(angle), 0], atol=1e-15)
    assert (plan.image.labels[before == 1] == 1).all()


def test_one_orientation_leaves_a_label_as_it_is(folder: Path) -> None:
    np.save("turns.npy", turns(0.4))
    image = PhaseImage(np.load("image.npy"), VoxelGrid((4, 4, 4), (1.0,) * 3))
    same, grains = split_into_grains(image, {0: folder / "turns.npy"})
    assert same is image
    np.testing.assert_array_equal(grains[0][0], turns(0.4)[:, :, 0, 0, 0])


def test_mistakes_in_orientations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("turns.npy", turns(0.1, 0.2))
    np.save("scaled.npy", 1.1 * turns(0.1, 0.2))
    np.save("other.npy", turns(0.1)[..., :2])
    np.save("many.npy", np.random.default_rng(0).standard_normal((3, 3, 10, 10, 10)))
    np.save("block.npy", np.zeros((10, 10, 10), np.uint8))
    for image, law, message in (
        ("image.npy", f"{CRYSTAL},orientations=no.npy", "Cannot read the orientations"),
        ("image.npy", f"{CRYSTAL},orientations=laws.py", "Expected a .npy file"),
        ("image.npy", f"{CRYSTAL},orientations=other.npy", "have shape (3, 3, 4, 4, 2)"),
        ("image.npy", f"{CRYSTAL},orientations=scaled.npy", "rotation matrix"),
        ("image.npy", f"{CRYSTAL},orientation=1,2,3,orientations=turns.npy", "not both"),
        ("image.npy", f"{METAL},orientations=turns.npy", "orientation"),
        ("image.npy", "0:void,orientations=turns.npy", "void has no parameters"),
        (
            "block.npy",
            f"{CRYSTAL},orientations=many.npy",
            "1,000 orientations in many.npy, expected at most 512",
        ),
    ):
        others = ["--law", "1:void"] if image == "image.npy" else []
        assert_one_message(capsys, message, "path", image, "--law", law, *others, "--leg", PULL)
