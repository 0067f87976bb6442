"""Solving many cells: in this process, in processes of its own, or on any executor.

Only `submit` and `result` of an executor are used. Tasks go out in chunks, results come back in the order of the tasks,
every task is computed by itself: numbers do not depend on how many workers there are. What a store holds already is not
computed; what is finished goes into it at once, so that a killed study goes on where it stopped.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import multiprocessing
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, final

import numpy as np

from scalebridge.core.content_store import ContentStore, Entry
from scalebridge.core.errors import InputError, ResourceError
from scalebridge.core.progress import AbstractProgress, SilentProgress
from scalebridge.core.status import Status
from scalebridge.homogenize.representative.apparent import ApparentCell, CellTask, solve_task


@final
@dataclasses.dataclass(frozen=True)
class Workers:
    """How cells are spread. executor: any concurrent.futures.Executor; None takes processes of our own.

    count: processes (None: one per core; 1: this process). chunk: tasks sent together (None: chosen).
    """

    count: int | None = None
    executor: Executor | None = None
    chunk: int | None = None

    def __post_init__(self) -> None:
        for name in ("count", "chunk"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"The {name} of workers must be at least 1, got {value}.")


def run_cells(
    tasks: Sequence[CellTask],
    workers: Workers | None = None,
    store: ContentStore | None = None,
    progress: AbstractProgress | None = None,
) -> list[list[ApparentCell]]:
    """The cells of every task, in the order of the tasks and of their keys.

    Fails when: a cell does (its sample is named), or a worker keeps dying (ResourceError).
    """
    workers, progress = workers or Workers(), progress or SilentProgress()
    # Without a store nobody asks for keys, and those of small cells can take longer than the cells.
    keys = [
        [""] * (len(task.conditions) * len(task.coarsenings)) if store is None else task.keys()
        for task in tasks
    ]
    found: list[list[ApparentCell | None]] = [[None] * len(k) for k in keys]
    if store is not None:
        for row, names in zip(found, keys, strict=True):
            for n, key in enumerate(names):
                entry = store.get(key)
                row[n] = None if entry is None else _from_entry(entry)
    missing: list[CellTask] = []
    places: list[list[tuple[int, int]]] = []
    for t, task in enumerate(tasks):
        wanted = [cell is None for cell in found[t]]
        where = [(t, n) for n, want in enumerate(wanted) if want]
        for part in task.only(wanted):
            missing.append(part)
            places.append(where[: len(part.conditions)])
            where = where[len(part.conditions) :]
    total = sum(len(k) for k in keys)
    done = total - sum(len(p) for p in places)
    progress.update("cells", done, total, f"{done} of {total} known already" if done else "")
    position = 0
    for batch in _chunks(missing, workers):
        rows = []
        for cells in batch:
            for (t, n), cell in zip(places[position], cells, strict=True):
                found[t][n] = cell
                rows.append(_to_entry(keys[t][n], cell))
            position += 1
        # A cell that did not converge is not worth keeping: the next run may be allowed more steps.
        if store is not None:
            store.put_many(row for row in rows if row.metadata["status"] == str(Status.CONVERGED))
        done += len(rows)
        progress.update("cells", done, total, batch[-1][-1].name if batch and batch[-1] else "")
    return [[cell for cell in row if cell is not None] for row in found]


def _chunks(tasks: list[CellTask], workers: Workers) -> Iterator[list[list[ApparentCell]]]:
    """Results of successive chunks, in order."""
    if not tasks:
        return
    count = workers.count if workers.count is not None else (os.cpu_count() or 1)
    count = min(count, len(tasks))
    size = workers.chunk or max(1, min(32, len(tasks) // (4 * count)))
    chunks = [tasks[i : i + size] for i in range(0, len(tasks), size)]
    if workers.executor is not None:
        yield from _outstanding(workers.executor, chunks, 4 * max(count, 1))
    elif count == 1:
        for chunk in chunks:
            yield _solve_chunk(chunk)
    else:
        yield from _own_processes(chunks, count)


def _outstanding(
    executor: Executor, chunks: Sequence[list[CellTask]], most: int
) -> Iterator[list[list[ApparentCell]]]:
    """Keep at most `most` chunks under way, so that samples waiting to be sent do not fill the memory."""
    waiting: collections.deque[Future[Any]] = collections.deque()
    left = iter(chunks)
    try:
        for chunk in left:
            waiting.append(executor.submit(_solve_chunk, chunk))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            with contextlib.suppress(Exception):
                future.cancel()


def _own_processes(chunks: list[list[CellTask]], count: int) -> Iterator[list[list[ApparentCell]]]:
    """Processes started afresh; after a death the rest is tried one task at a time, and once more alone."""
    finished = 0
    with _pool(count) as pool:
        try:
            for result in _outstanding(pool, chunks, 2 * count):
                yield result
                finished += 1
            return
        except BrokenProcessPool:
            pass
    for task in [task for chunk in chunks[finished:] for task in chunk]:
        with _pool(1) as alone:
            try:
                result = alone.submit(_solve_chunk, [task]).result()
            except BrokenProcessPool:
                raise ResourceError(
                    f"The process that solved {task.maker.name} died, also when it had the machine to itself: most "
                    "likely there is not enough memory. Use fewer workers (--workers 1) or smaller samples."
                ) from None
        yield result


@contextlib.contextmanager
def _pool(count: int) -> Iterator[_DetachedPool]:
    threads = max(1, (os.cpu_count() or 1) // count)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_set_up_worker, initargs=(threads,))
    try:
        yield _DetachedPool(pool)
    except BaseException:
        for process in list(getattr(pool, "_processes", None) or {}):
            with contextlib.suppress(OSError):
                os.kill(process, 15)  # an interrupted study must not wait for cells nobody wants
        # The dead are waited for: the interpreter's own clean-up at exit would race with that of the pool.
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True, cancel_futures=True)


@final
class _DetachedPool(Executor):
    """Submits to a pool whose processes do not run the caller's script again.

    A process started afresh would import the main module; a script without `if __name__ == "__main__"` would then start
    its own study in every worker. Workers need nothing of it, so it is hidden while they start.
    """

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            return self._pool.submit(function, *arguments, **named)
        finally:
            sys.modules["__main__"] = main


def _set_up_worker(threads: int) -> None:
    """Called in a fresh process before anything heavy is loaded: share the cores, leave Ctrl-C to the parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
        )


def _end_with_parent() -> None:
    """A killed study cannot tell its workers to stop; without this they would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _solve_chunk(tasks: Sequence[CellTask]) -> list[list[ApparentCell]]:
    return [solve_task(task) for task in tasks]


def _to_entry(key: str, cell: ApparentCell) -> Entry:
    arrays = {"value": cell.value} | ({} if cell.expansion is None else {"expansion": cell.expansion})
    plain = {f.name: getattr(cell, f.name) for f in dataclasses.fields(cell)}
    del plain["value"], plain["expansion"]
    return Entry(key, arrays, {**plain, "fractions": dict(cell.fractions), "status": str(cell.status)})


def _from_entry(entry: Entry) -> ApparentCell:
    plain = {**entry.metadata, "status": Status(entry.metadata["status"])}
    expansion = entry.arrays.get("expansion")
    return ApparentCell(
        value=np.asarray(entry.arrays["value"]),
        expansion=None if expansion is None else np.asarray(expansion),
        **plain,
    )
