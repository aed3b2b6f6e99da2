"""Work dealt to processes: spawned, one thread each, gone when their parent is."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class PoolError(ValueError):
    """A process ended before its work was done; one line says what to do."""


def usable_cpus() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(
    function: Callable[[Task], Result], tasks: Iterable[Task], processes: int
) -> Iterator[Result]:
    """Yield a function's results as they come, in any order.

    Args:
        function: Of a module, so that it can be sent.
        tasks: What it is called with.
        processes: How many; with one, all is done in this process.

    Raises:
        PoolError: A process was killed.
    """
    if processes == 1:
        yield from map(function, tasks)
        return
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin)
    try:
        with _one_thread():
            # Processes start when something is submitted, with the environment of then.
            started = [pool.submit(os.getpid) for _ in range(processes)]
        wait(started)
        yield from _dealt(pool, function, tasks, 2 * processes)
    except BrokenProcessPool:
        raise PoolError(
            "a process of the simulation was killed, for want of memory perhaps: start again, "
            "with fewer --processes; what was finished is kept"
        ) from None
    finally:
        # After Ctrl-C, what was begun is finished: a few seconds.
        pool.shutdown(wait=True, cancel_futures=True)


def _dealt(
    pool: ProcessPoolExecutor,
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    most: int,
) -> Iterator[Result]:
    """Keep no more than ``most`` tasks in the pool: results must not pile up."""
    pending: set[Future[Result]] = set()
    for task in tasks:
        pending.add(pool.submit(function, task))
        if len(pending) >= most:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end when it does, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
