"""The models of a comparison, one after the other or in processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import torch

from ..nets._engine.device import resolve_device
from ._data import Data, load_for
from ._settings import Settings
from ._train import attack_of, make_net
from ._watchdog import Watchdog
from ._work import Record, Tell, new_record, recall, run_model

__all__ = ["count_jobs", "count_threads", "run_models"]

_PATIENCE = 1.0  # seconds that processes have to end by themselves


def count_jobs(settings: Settings) -> int:
    """Return the number of processes: by default one per core, or one on a GPU."""
    n_cores = os.cpu_count() or 1
    if settings.n_jobs is None:
        wanted = n_cores if resolve_device(settings.device).type == "cpu" else 1
    elif settings.n_jobs < 0:
        wanted = max(1, n_cores + 1 + settings.n_jobs)
    else:
        wanted = settings.n_jobs
    return min(wanted, len(settings.names))


def count_threads(n_jobs: int) -> int:
    """Return the number of threads of each process, its share of those that torch would use."""
    return max(1, torch.get_num_threads() // n_jobs)


def run_models(
    data: Data, settings: Settings, tell: Tell, keep: Callable[[str, Record], None]
) -> bool:
    """Run every net and model, until all are done or the user interrupts.

    Parameters
    ----------
    data : Data
        Data of the comparison.
    settings : Settings
        Settings of the comparison.
    tell : callable
        ``tell(stage, name)`` after each epoch and each strength of any model.
    keep : callable
        ``keep(name, record)`` with the result of :func:`run_model` as each model ends.

    Returns
    -------
    interrupted : bool
        Whether a keyboard interrupt ended it; results found until then are kept.

    Raises
    ------
    KeyboardInterrupt
        After a second one; all processes have been ended.
    """
    n_jobs = count_jobs(settings)
    if n_jobs > 1:
        return _run_in_processes(data, settings, n_jobs, tell, keep)
    for name in settings.names:
        record = run_model(name, data, settings, tell, lambda: False)
        keep(name, record)
        if record["interrupted"]:
            return True
    return False


def _effort(name: str, settings: Settings) -> int:
    """Rough cost of training, to start the longest first."""
    if name not in settings.nets:
        return 0
    net = make_net(name, settings)
    attack = attack_of(net)
    steps = 0 if attack is None else attack.get_params().get("max_iter", 1)
    return net.max_epochs * (1 + steps)


def _run_in_processes(
    data: Data, settings: Settings, n_jobs: int, tell: Tell, keep: Callable[[str, Record], None]
) -> bool:
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    told, stop = context.Queue(), context.Event()
    threads = count_threads(n_jobs)
    names = sorted(settings.names, key=lambda name: -_effort(name, settings))
    started = (settings, told, stop, threads)
    others, futures, asked = multiprocessing.active_children(), {}, float("inf")
    with Watchdog() as dog, ProcessPoolExecutor(n_jobs, context, _start, started) as pool:
        with _ignoring_interrupts():  # the children inherit it: only the parent sees Ctrl-C
            for name in names:
                futures[pool.submit(_run_there, name)] = name
                dog.watch(_besides(others))
        while futures:
            try:
                done, _ = wait(futures, timeout=0.2, return_when="FIRST_COMPLETED")
                late = time.monotonic() - asked > _PATIENCE
                if late:
                    _end(_besides(others))
                else:
                    _drain(told, tell)
                for future in done:
                    name = futures.pop(future)
                    keep(name, _result(future, stop, name, data, settings))
            except KeyboardInterrupt:
                if stop.is_set():
                    _end(_besides(others))
                    raise
                stop.set()
                asked = time.monotonic()
    return stop.is_set()


def _besides(others: list[Any]) -> list[Any]:
    """All processes that were started from here since there were those others."""
    known = {other.pid for other in others}
    return [child for child in multiprocessing.active_children() if child.pid not in known]


def _end(children: list[Any]) -> None:
    """End processes at once; what they have finished is on the disk."""
    for child in children:
        child.kill()


def _result(future: Future[Record], stop: Any, name: str, data: Data, settings: Settings) -> Record:
    """Record of a model, also if its process has died."""
    try:
        return future.result()
    except BrokenProcessPool:
        found = recall(name, data, settings)[0] or new_record()
        ended = None if stop.is_set() else "its process ended unexpectedly (out of memory?)"
        return found | {"interrupted": stop.is_set(), "failed": ended}


def _drain(told: Any, tell: Tell) -> None:
    """Pass on all steps that the processes have reported."""
    while True:
        try:
            tell(*told.get_nowait())
        except queue.Empty:
            return


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Context in which Ctrl-C is ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_there: tuple[Data, Settings, Any, Any]  # data, settings, queue and event of this process


def _start(settings: Settings, told: Any, stop: Any, threads: int) -> None:
    """Prepare a process: its data, its queue for reports, its share of the cores."""
    global _there
    torch.set_num_threads(threads)
    _there = (load_for(settings), settings, told, stop)


def _run_there(name: str) -> Record:
    """Train and attack one model in this process."""
    data, settings, told, stop = _there
    return run_model(name, data, settings, lambda *step: told.put(step), stop.is_set)
