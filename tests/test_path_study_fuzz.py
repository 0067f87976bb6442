"""Studies of paths that people mistyped: whatever is in the file, one message or a plan, and never a traceback."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from path_support import LAWS
from scalebridge.cli.main import main

SEEDS, PIECES = 400, 8

STUDIES: list[dict[str, Any]] = [
    {
        "image": {"path": "image.npy", "spacing": "1 um"},
        "law": [
            {"label": 0, "law": "laws.py:metal", "parameters": {"E": "70 GPa", "nu": 0.3, "yield_stress": 1e8}},
            {"label": 1, "law": "void"},
        ],
        "path": {"fields": "legs"},
        "leg": [{"components": {"xx": "1 %", "s_yy": "0 MPa"}, "rest": "free", "steps": 5, "time": "1 s"}],
    },
    {
        "image": {"path": "image.npy"},
        "law": [
            {"label": 0, "law": "neo-hooke", "parameters": {"E": "2 MPa", "nu": 0.4}},
            {"label": 1, "law": "ogden", "parameters": {"moduli": ["1 MPa", 2e5], "exponents": [1.3, 5.0], "K": 1e9}},
        ],
        "path": {"condition": "kubc", "tangent": "all", "residual": 1e-6},
        "leg": [{"components": {"F_xx": 1.1}, "rest": "free"}, {"components": {"P_xx": 0.0}, "rest": "free"}],
    },
    {
        "image": {"path": "flat.npy"},
        "law": [
            {"label": 0, "law": "j2", "parameters": {"E": "2 GPa", "nu": 0.4, "yield_stress": 1e6}},
            {"label": 1, "law": "linear", "parameters": {"K": "2GPa", "G": "1GPa"}},
        ],
        "path": {"plane": "stress", "integration": "eight", "accuracy": 0.1},
        "leg": [{"components": {"xx": 0.01}}],
    },
    {
        "image": {"path": "image.npy"},
        "law": [
            {"label": 0, "law": "power-law-conduction", "parameters": {"k": "2 W/(m K)", "n": 1.5, "reference": 1.0}},
            {"label": 1, "law": "void"},
        ],
        "path": {"fields": [1, 2]},
        "leg": [{"components": {"x": 1.0, "q_y": 0.0}}],
    },
]  # fmt: skip
# What belongs there, and is just not right; by key.
NEAR: dict[str, list[Any]] = {
    "E": [0, -1, "1e300 GPa", 1e-300, "5 mm", "70GPa+-5%", 10**400], "nu": [0.5, -1, 2, "30 %", 0.4999999],
    "yield_stress": ["0 Pa", -1, 1e300, "1 s"], "K": [0.0, -1e9], "moduli": [[], [1.0], "1 MPa", ["x"]],
    "steps": [0, -1, 10**7, 2.0, True], "time": ["0 s", -1, 1e300, "1e-320 s", "3 m", "inf"],
    "fields": ["all", [], [0], [2**70], [1, 1]], "integration": ["one", "eight", "mean-dilatation"],
    "plane": ["strain", "stress"], "condition": ["kubc", "subc", "faces"], "residual": [0, 1, 1e-30, 0.5],
    "accuracy": [0, 1e-300, 1], "spacing": ["0 um", -1, "1 s", ["1 um"], ["1 um", "2 um", "3 um"], "nan"],
    "label": [0, 1, 7, -5, 2**70, True], "rest": ["held", "loose"], "path": ["nothing.npy", "", "laws.py", "."],
    "crop": ["0:1,0:1,0:1", "0:1,:,:", "0:0,:,:", "9:1,:,:", "a", ":,:"], "coarsen": [0, 2, 3, 1000, 2**40],
    "mirror": [["x"], ["x", "x"], ["w"]], "relabel": [{"0": 1}, {"9": 1}, {"1": 2**40}, {"1": -3}],
    "law": ["void", "j2", "lineer", "", "laws.py:nothing", "laws.py:os", "laws.py:", "nowhere.py:f", "os:getcwd",
            "json:loads", "a:b:c", "image.npy:f", "norton", "fcc-crystal", "finite-strain-j2"],
    "orientations": ["image.npy", "rotations.npy", "nothing.npy", "."], "orientation": [[1, 2, 3], [1], ["x"], 3],
    "xx": [1e308, "200 %", "1 MPa", -1.0], "e_xx": [0.1], "s_xx": ["1 MPa", 1.0], "zz": [0.1], "xy": [0.1], "yx": [0.1],
    "F_xx": [0, -1.0, 1e9], "F_yx": [3.0], "P_xx": ["1 mm"], "q_x": [1.0], "x": [1e308], "z": [0.0],
}  # fmt: skip
PLACES = {
    "image": ("spacing", "crop", "coarsen", "mirror", "relabel", "path"),
    "law": ("label", "law", "orientations"),
    "parameters": ("E", "nu", "yield_stress", "K", "moduli", "orientation"),
    "leg": ("steps", "time", "rest"),
    "components": ("xx", "e_xx", "s_xx", "zz", "xy", "yx", "F_xx", "F_yx", "P_xx", "q_x", "x", "z"),
    "path": ("fields", "integration", "plane", "condition", "residual", "accuracy"),
}
WORDS = ["", "nan", "1e400", "²", "a" * 5000, "../..", "laws.py:", ":x", "\x00", "%", "é", "1,2", ",", "str", "st[r",
         "_", "x_y_z", "e_", " xx", "MPa", "5 ms", "70 furlongs"]  # fmt: skip


def mistake(draw: random.Random) -> Any:
    makers: list[Callable[[], Any]] = [
        lambda: draw.choice(WORDS),
        lambda: draw.choice([0, -1, 2**31, 2**63, 10**30]),
        lambda: draw.choice([-0.0, 1e308, 1e-308, float("nan"), float("inf")]),
        lambda: draw.choice([True, False]),
        lambda: draw.choice([[], {}, [1, 2], ["a", 3], {"xx": 1}, [[]], [{}], {"a": {"b": 1}}]),
        lambda: f"{draw.uniform(-5, 5)}{draw.choice(['', '%', ' MPa', 's', 'GPa'])}",
    ]
    return draw.choice(makers)()


def places(data: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        found.append((*before, key))
        if isinstance(value, (dict, list)):
            found += places(value, (*before, key))
    return found


def mistype(data: dict[str, Any], draw: random.Random) -> None:
    """One change: a value that is nearly right, any value, a key that goes, comes twice or loses a letter."""
    if draw.random() < 0.6:
        section = draw.choice(list(PLACES))
        key = draw.choice(PLACES[section])
        within = {"parameters": "law", "components": "leg"}.get(section, section)
        target = data.get(within)
        target = draw.choice(target) if isinstance(target, list) and target else target
        target = target.get(section) if within != section and isinstance(target, dict) else target
        if isinstance(target, dict):
            target[key] = draw.choice(NEAR[key])
        return
    spots = places(data)
    if not spots:
        return
    *way, last = draw.choice(spots)
    target = data
    for part in way:
        target = target[part]
    change = draw.randrange(4)
    if change == 0:
        del target[last]
    elif change == 1:
        target[last] = mistake(draw)
    elif isinstance(target, list):
        target.append(copy.deepcopy(target[last]))
    elif change == 2:
        target[draw.choice(WORDS)] = mistake(draw)
    else:
        target[last[:-1] or "q"] = target.pop(last)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, (bool, str)) else repr(value)


@pytest.mark.parametrize("piece", range(PIECES))
def test_a_mistyped_study_is_a_message_or_a_plan(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("image.npy", np.pad(np.ones((2, 2, 2), np.uint8), 1))
    np.save("flat.npy", np.pad(np.ones((2, 2), np.uint8), 1))
    np.save("rotations.npy", np.broadcast_to(np.eye(3)[:, :, None, None, None], (3, 3, 4, 4, 4)))
    Path("laws.py").write_text(LAWS)
    codes = []
    for seed in range(piece, SEEDS, PIECES):
        draw = random.Random(seed)
        data = copy.deepcopy(draw.choice(STUDIES))
        for _ in range(draw.choice([1, 1, 2])):
            mistype(data, draw)
        text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in data.items())
        if draw.random() < 0.1:  # a slip of the finger anywhere
            at = draw.randrange(len(text))
            text = text[:at] + draw.choice('"[]{}=,.\n #') + text[at + 1 :]
        Path("study.toml").write_text(text, encoding="utf-8")
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["run", "study.toml", "--dry-run"])
        said = f"seed {seed}\n{text}\n{err.getvalue()}"
        assert code in (0, 2), said
        assert "fault of scalebridge" not in err.getvalue(), said
        assert (err.getvalue().count("error:") == 1) == (code == 2), said
        assert code == 0 or len(err.getvalue()) < 2500, said
        if code == 0:
            assert "Estimate" in out.getvalue(), said
            assert "nan" not in out.getvalue().replace("nanometre", ""), said
        codes.append(code)
    assert 0 in codes, "nothing was left of any study: the mistakes are too coarse"
