"""Seconds of compilation: counted once, whoever compiles, and part of what a result reports."""

from __future__ import annotations

import threading

import jax
import numpy as np
import pytest

from scalebridge.cell.boundary import OppositeFaces
from scalebridge.core.compilation_clock import CompilationClock
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.driver import homogenize
from scalebridge.homogenize.json_record import to_json
from scalebridge.material import Conduction


def test_what_overlaps_counts_once() -> None:
    clock = CompilationClock()
    for begin, end in ((3.0, 4.0), (0.0, 1.0), (0.5, 2.0), (0.6, 0.7)):
        clock.add(begin, end)
    assert clock.seconds == pytest.approx(3.0)


def test_compiling_is_heard_in_every_thread_and_only_while_it_is_listened_to() -> None:
    with CompilationClock() as clock:
        jax.jit(lambda x: x * 2.25 + 1.5)(3.0)
        here = clock.seconds
        thread = threading.Thread(target=lambda: jax.jit(lambda x: x * 3.25 + 2.5)(3.0))
        thread.start()
        thread.join()
    assert 0 < here < clock.seconds
    before = clock.seconds
    jax.jit(lambda x: x * 4.25 + 3.5)(3.0)
    assert clock.seconds == before


def test_finite_volumes_report_what_they_compiled_the_first_time() -> None:
    """A shape that no other test uses: the second run finds everything compiled."""
    labels = np.random.default_rng(2).integers(0, 2, (9, 13)).astype(np.uint8)
    image = PhaseImage(labels, VoxelGrid(labels.shape))
    laws = {0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=4.0)}
    first, second = (homogenize(image, laws, boundary=OppositeFaces(1)).solver for _ in range(2))
    assert 0 < first.compile_seconds <= first.seconds
    assert second.compile_seconds < first.compile_seconds / 4
    record = to_json(homogenize(image, laws, boundary=OppositeFaces(1)))["solver"]
    assert record["compile_seconds"] <= record["seconds"]
