"""Training and attacks of the nets of a comparison, one after the other or in processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..exceptions import TrainingDivergedError
from ..nets._engine.device import resolve_device
from ._attack import ATTACKS, attack_net
from ._data import Data, load_for
from ._settings import Settings
from ._train import attack_of, make_net, train_net

__all__ = ["count_jobs", "count_threads", "run_nets"]


_PATIENCE = 2.0  # seconds after which a second keyboard interrupt is a new one

Record = dict[str, Any]  # what is known of one net
Tell = Callable[[str, str], Any]


def _new_record(**known: Any) -> Record:
    empty: Record = {"interrupted": False, "failed": None, "seconds_attacked": 0.0}
    return {**empty, "masks": {}, "attacks": {}, **known}


def run_net(
    name: str, data: Data, settings: Settings, tell: Tell, stop: Callable[[], bool]
) -> Record:
    """Train, save and attack one net.

    Parameters
    ----------
    name : str
        Name of the net.
    data : Data
        Data of the comparison.
    settings : Settings
        Settings of the comparison.
    tell : callable
        ``tell(stage, name)`` after each epoch and each strength.
    stop : callable
        Returns True when the work should end at once.

    Returns
    -------
    record : dict
        Plain results, as far as the work came before an interruption: "training", "file",
        "natural", "attacks" (accuracies by attack and strength), "masks" (bool arrays);
        "interrupted", and "failed", the reason why something is missing, or None.
    """
    record = _new_record(params=repr(make_net(name, settings)))
    try:
        if stop():
            raise KeyboardInterrupt
        net, record["training"] = train_net(
            name, data, settings, lambda: tell("training", name), stop
        )
        record["file"] = f"nets/{name}.net"
        net.save(Path(settings.output, record["file"]))
        record["masks"]["natural"] = net.predict(data.X_test) == data.y_test
        record["natural"] = float(np.mean(record["masks"]["natural"]))
        _attack(net, name, data, settings, record, tell, stop)
    except TrainingDivergedError as error:
        record["failed"] = str(error)
    except KeyboardInterrupt:
        record["interrupted"] = True
    except Exception as error:  # a failure of one net must not lose the results of the others
        traceback.print_exc()
        record["failed"] = f"{type(error).__name__}: {error}"
    return record


def _attack(
    net: Any,
    name: str,
    data: Data,
    settings: Settings,
    record: Record,
    tell: Tell,
    stop: Callable[[], bool],
) -> None:
    """Attack a net with growing strength, and add accuracies and masks to its record."""
    radii = settings.eps or ()
    rounds = attack_net(
        net, data.X_test, data.y_test, radii, seed=settings.seed, bounds=data.bounds
    )
    start = time.perf_counter()
    for masks in rounds:
        for attack in ATTACKS:
            record["attacks"].setdefault(attack, []).append(float(np.mean(masks[attack])))
            record["masks"].setdefault(attack, []).append(masks[attack])
        record["seconds_attacked"] = time.perf_counter() - start
        tell("attacks", name)
        if stop():
            raise KeyboardInterrupt


def count_jobs(settings: Settings) -> int:
    """Return the number of processes: by default one per core, or one on a GPU."""
    n_cores = os.cpu_count() or 1
    if settings.n_jobs is None:
        wanted = n_cores if resolve_device(settings.device).type == "cpu" else 1
    elif settings.n_jobs < 0:
        wanted = max(1, n_cores + 1 + settings.n_jobs)
    else:
        wanted = settings.n_jobs
    return min(wanted, len(settings.nets))


def count_threads(n_jobs: int) -> int:
    """Return the number of threads of each process, its share of those that torch would use."""
    return max(1, torch.get_num_threads() // n_jobs)


def run_nets(
    data: Data, settings: Settings, tell: Tell, keep: Callable[[str, Record], None]
) -> bool:
    """Run every net, until all are done or the user interrupts.

    Parameters
    ----------
    data : Data
        Data of the comparison.
    settings : Settings
        Settings of the comparison.
    tell : callable
        ``tell(stage, name)`` after each epoch and each strength of any net.
    keep : callable
        ``keep(name, record)`` with the result of :func:`run_net` as each net ends.

    Returns
    -------
    interrupted : bool
        Whether a keyboard interrupt ended it; results found until then are kept.
    """
    n_jobs = count_jobs(settings)
    if n_jobs > 1:
        return _run_in_processes(settings, n_jobs, tell, keep)
    for name in settings.nets:
        record = run_net(name, data, settings, tell, lambda: False)
        keep(name, record)
        if record["interrupted"]:
            return True
    return False


def _effort(name: str, settings: Settings) -> int:
    """Rough cost of training, to start the longest first."""
    net = make_net(name, settings)
    attack = attack_of(net)
    steps = 0 if attack is None else attack.get_params().get("max_iter", 1)
    return net.max_epochs * (1 + steps)


def _run_in_processes(
    settings: Settings, n_jobs: int, tell: Tell, keep: Callable[[str, Record], None]
) -> bool:
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    told, stop = context.Queue(), context.Event()
    threads = count_threads(n_jobs)
    names = sorted(settings.nets, key=lambda name: -_effort(name, settings))
    with ProcessPoolExecutor(n_jobs, context, _start, (settings, told, stop, threads)) as pool:
        with _ignoring_interrupts():  # the children inherit it: only the parent sees Ctrl-C
            futures = {pool.submit(_run_there, name): name for name in names}
        asked: float | None = None
        while futures:
            try:
                done, _ = wait(futures, timeout=0.2, return_when="FIRST_COMPLETED")
                _drain(told, tell)
                for future in done:
                    keep(futures.pop(future), _result(future, stop))
            except KeyboardInterrupt:
                asked = _stop(stop, asked)
    return stop.is_set()


def _stop(stop: Any, asked: float | None) -> float:
    """Ask the processes to end at their next batch; end them if they were asked before."""
    now = time.monotonic()
    if asked is None:
        stop.set()
        return now
    if now - asked > _PATIENCE:
        for child in multiprocessing.active_children():
            child.terminate()
    return asked


def _result(future: Future[Record], stop: Any) -> Record:
    """Record of a net, also if its process has died."""
    try:
        return future.result()
    except BrokenProcessPool:
        ended = None if stop.is_set() else "its process ended unexpectedly (out of memory?)"
        return _new_record(interrupted=stop.is_set(), failed=ended)


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
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _there = (load_for(settings), settings, told, stop)


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_there(name: str) -> Record:
    """Train and attack one net in this process."""
    data, settings, told, stop = _there
    return run_net(name, data, settings, lambda *step: told.put(step), stop.is_set)
