"""Studies that are killed, samples that kill their worker, void samples and grains, levels against brute force."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import final

import numpy as np
import pytest

from scalebridge import Conduction
from scalebridge.cell.boundary import KinematicUniform, Periodic
from scalebridge.core.content_store import ContentStore
from scalebridge.core.errors import PhaseError, ResourceError
from scalebridge.homogenize.representative import (
    GeneratorEnsemble,
    ImageWindows,
    RepresentativityProblem,
    SamplingMethod,
    representativity,
)
from scalebridge.homogenize.representative.apparent import CellTask, Material, solve_task
from scalebridge.homogenize.representative.ensemble import Workers, run_cells
from scalebridge.homogenize.representative.estimators import isotropic_parts
from scalebridge.homogenize.representative.multilevel import ResolutionLadder, SizeLadder, multilevel
from scalebridge.homogenize.representative.samples import AbstractMaker
from tiled_materials import ALL, ALONE, LAWS, Tiles, draw, image_of


@final
@dataclasses.dataclass(frozen=True)
class DeadlyMaker(AbstractMaker):
    """Ends the process that makes it."""

    size: int = 4
    name: str = "the deadly sample"

    def make(self):
        os._exit(9)

    def identity(self):
        return {"deadly": True}


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_representative_runs import *
problem = RepresentativityProblem(ImageWindows(draw((24, 24))), LAWS, (4, 6), ALL)
store = ContentStore({store!r})
result = representativity(problem, SamplingMethod(workers=Workers(count=2, chunk=2), store=store))
print(repr([s.values.tolist() for s in result.statistics]))
"""


def test_a_script_without_a_guard_is_not_run_by_its_workers_and_a_killed_one_resumes(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=os.path.dirname(__file__), store=str(tmp_path / "store")))
    payload = tmp_path / "store" / "payload"
    # Its workers hold the pipe: that it closes shows that they ended with the study.
    run = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while run.poll() is None and len(list(payload.glob("*.h5"))) < 3:
        time.sleep(0.02)
    run.kill()
    told, _ = run.communicate()
    known = len(ContentStore(tmp_path / "store").keys())
    assert run.returncode == -9, told
    assert 0 < known < 52 * len(ALL)
    again = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    assert len(again.stdout.splitlines()) == 1
    problem = RepresentativityProblem(ImageWindows(draw((24, 24))), LAWS, (4, 6), ALL)
    fresh = representativity(problem, SamplingMethod(workers=ALONE))
    assert again.stdout.strip() == repr([s.values.tolist() for s in fresh.statistics])


def test_a_sample_that_kills_its_worker_is_named():
    good = [CellTask(m, LAWS, (Periodic(),), 1e-4) for m in ImageWindows(draw((16, 8))).makers(4, None)]
    tasks = [*good[:3], CellTask(DeadlyMaker(), LAWS, (Periodic(),), 1e-4), *good[3:]]
    with pytest.raises(ResourceError, match="the deadly sample"):
        run_cells(tasks, Workers(count=2, chunk=1))


def test_samples_without_a_phase_or_all_void_are_exact():
    labels = np.zeros((4, 8), np.uint8)
    labels[:, 4:] = 1
    void = Material({0: Conduction.isotropic(k=0.0), 1: Conduction.isotropic(k=3.0)})
    problem = RepresentativityProblem(ImageWindows(image_of(labels)), void, (4,))
    result = representativity(problem, SamplingMethod(workers=ALONE))
    np.testing.assert_allclose(result.statistics[0].values, [np.zeros((2, 2)), 3 * np.eye(2)], atol=1e-12)
    missing = Material({0: Conduction.isotropic(k=0.0)})
    with pytest.raises(PhaseError, match="label 1"):
        representativity(RepresentativityProblem(ImageWindows(image_of(labels)), missing, (4,)))


def test_grains_turn_their_law():
    @dataclasses.dataclass(frozen=True)
    class OneGrain(AbstractMaker):
        size: int = 4
        name: str = "one grain"

        def make(self):
            c, s = np.cos(0.3), np.sin(0.3)
            return image_of(np.full((4, 4), 7)), {7: np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])[:2, :2]}

        def identity(self):
            return {"one": True}

    law = Conduction.anisotropic(np.diag([1.0, 5.0]))
    (cell,) = solve_task(CellTask(OneGrain(), Material({}, grain=law), (Periodic(),), 1e-4))
    rotation = OneGrain().make()[1][7]
    np.testing.assert_allclose(cell.value, rotation @ np.diag([1.0, 5.0]) @ rotation.T, rtol=1e-12)


@pytest.fixture(scope="module")
def brute_force():
    """Conductivities of 64 samples on the finest level, by another seed."""
    source = GeneratorEnsemble(Tiles((32, 32), 4), seed=99)
    tasks = [CellTask(m, LAWS, (KinematicUniform(),), 1e-6) for m in source.makers(32, 64)]
    cells = [cell for group in run_cells(tasks, ALONE) for cell in group]
    return isotropic_parts(np.stack([c.value for c in cells]), False)["mean conductivity"]


@pytest.mark.parametrize(("ladder", "error"), [(ResolutionLadder, 0.008), (SizeLadder, 0.02)])
def test_levels_add_up_to_the_finest_mean(ladder, error, brute_force):
    source = GeneratorEnsemble(Tiles((32, 32), 4), seed=5)
    levels = ladder(source, 32, 4 if ladder is ResolutionLadder else 3)
    assert levels.levels == 3
    found = multilevel(
        levels, LAWS, error, condition=KinematicUniform(), fractions={1: 0.5}, energy=1e-6, workers=ALONE
    )["mean conductivity"]
    gap = abs(found.mean - brute_force.mean())
    assert gap < 3.5 * np.hypot(found.error, brute_force.std() / 8)
    assert found.error <= error * found.mean * 1.0001
    assert found.levels[0].count > found.levels[-1].count
    assert found.levels[0].explained > 0.5  # the fraction explains most of what the coarse level scatters
