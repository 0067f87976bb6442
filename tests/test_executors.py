"""A study gives the same numbers on every executor: threads, processes, Dask, MPI; and it asks little of one."""

from __future__ import annotations

import sys
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs.verification import representativity_executors as executors

from scalebridge.homogenize.representative.ensemble import Workers


@pytest.fixture(scope="module")
def expected() -> list[list[str]]:
    return executors.here()


@pytest.mark.parametrize("kind", list(executors.KINDS))
def test_every_executor_gives_the_same_digits(kind: str, expected: list[list[str]]) -> None:
    reason = executors.lacking(kind)
    if reason:
        pytest.skip(reason)
    _, run = executors.KINDS[kind]
    assert run() == expected


def test_the_size_of_chunks_changes_nothing(expected: list[list[str]]) -> None:
    assert executors.study(Workers(count=1, chunk=3)) == expected


class Reluctant(Executor):
    """Computes when a result is asked for, and has nothing but submit: no map, no shutdown, no order kept."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, function, /, *arguments, **named):  # type: ignore[no-untyped-def,override]
        self.submitted += 1

        class Late(Future):
            def result(self, timeout=None):  # type: ignore[no-untyped-def,override]
                return function(*arguments, **named)

        return Late()

    def map(self, *arguments, **named):  # type: ignore[no-untyped-def,override]
        raise AssertionError("only submit may be used")

    def shutdown(self, *arguments, **named):  # type: ignore[no-untyped-def,override]
        raise AssertionError("the executor belongs to the caller")


def test_only_submit_and_result_are_used_and_the_executor_is_left_open(expected: list[list[str]]) -> None:
    executor = Reluctant()
    assert executors.study(Workers(executor=executor, chunk=1)) == expected
    assert executor.submitted == len(executors.SIZES) * executors.SAMPLES


def test_a_difference_in_the_last_digit_is_seen(expected: list[list[str]]) -> None:
    assert executors.largest_difference(expected, expected) == 0.0
    value = float.fromhex(expected[0][0])
    other = [[(value * (1 + 2**-52)).hex(), *expected[0][1:]], *expected[1:]]
    assert 0 < executors.largest_difference(other, expected) < 1e-14
    assert executors.largest_difference(expected[1:], expected) == float("inf")
