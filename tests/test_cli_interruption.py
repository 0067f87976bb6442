"""Ctrl-C at any moment: exit code 130 and one line, whatever was going on."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli_support import TWO_PHASES, FakeSolver, fake_solver, run, small_image
from scalebridge.cli.interruption import interruptible

image = pytest.fixture(small_image)
solver = pytest.fixture(fake_solver)

ON_IMPORT = """
import signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            signal.raise_signal(signal.{number})
sys.meta_path.insert(0, Finder())
from scalebridge.cli.main import main
sys.exit(main())
"""


def wait() -> None:
    """Long enough for a signal that is known to come."""
    for _ in range(1000):
        time.sleep(0.01)
    pytest.fail("the interruption never came")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("name", ["cyclopts", "pydantic", "jax"])
def test_interrupted_while_packages_load(image: str, tmp_path: Path, name: str, number: str) -> None:
    code = ON_IMPORT.format(name=name, number=number)
    command = [sys.executable, "-c", code, "homogenize", image, *TWO_PHASES, "--quiet", "--output", "out"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted; run again with the same --output to resume\n"
    assert not (tmp_path / "out" / "result.json").exists()


def test_an_import_is_finished_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interrupted_module.py").write_text("import signal\nsignal.raise_signal(2)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    def importing() -> None:
        with interruptible(ends_process=False):
            assert importlib.import_module("interrupted_module").whole
            wait()

    with pytest.raises(KeyboardInterrupt):
        importing()
    assert sys.modules["interrupted_module"].whole


def test_an_interruption_that_a_destructor_swallows_comes_again() -> None:
    class Swallows:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def destroying() -> None:
        with interruptible(ends_process=False):
            Swallows()
            wait()

    with pytest.raises(KeyboardInterrupt):
        destroying()


def test_cleaning_up_is_not_interrupted_again() -> None:
    cleaned = False
    try:
        with interruptible(ends_process=False):
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                time.sleep(0.5)
                cleaned = True
    except KeyboardInterrupt:
        pass
    assert cleaned


def test_an_interruption_that_a_library_makes_an_error_of_is_one(
    image: str, solver: FakeSolver, capsys: pytest.CaptureFixture[str]
) -> None:
    def converting(**_: Any) -> Any:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("INTERNAL: a callback failed") from None

    solver.answer = converting
    code, out, err = run(capsys, "homogenize", image, *TWO_PHASES, "--json")
    assert (code, out, err) == (130, "", "interrupted\n")


def test_handlers_of_others_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    hook = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), interruptible(ends_process=False):
        signal.raise_signal(signal.SIGTERM)
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    assert (after, sys.unraisablehook) == (before, hook)
