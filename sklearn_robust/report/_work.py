"""Train and attack the nets of a comparison, one after the other or in processes."""

import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from ..exceptions import TrainingDivergedError
from ..nets._engine.device import resolve_device
from ._attack import ATTACKS, attack_net
from ._data import load_for
from ._train import make_net, train_net

__all__ = ["count_jobs", "count_threads", "run_nets"]


_PATIENCE = 2.0  # seconds after which a second keyboard interrupt is a new one


def _new_record(**known):
    empty = {"interrupted": False, "failed": None, "seconds_attacked": 0.0}
    return {**empty, "masks": {}, "attacks": {}, **known}


def run_net(name, data, settings, tell, stop):
    """Train, save and attack one net.

    Parameters
    ----------
    name : str
        Name of the net.
    data : Data
        The data.
    settings : Settings
        What was asked for.
    tell : callable
        ``tell(stage, name)`` after each epoch and each strength.
    stop : callable
        Returns True when the work should end at once.

    Returns
    -------
    record : dict
        Plain results, as many as there are when the work is interrupted: "training", "file",
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
    except Exception as error:  # one net must not cost the others their hours of training
        traceback.print_exc()
        record["failed"] = f"{type(error).__name__}: {error}"
    return record


def _attack(net, name, data, settings, record, tell, stop):
    radii = settings.eps
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


def count_jobs(settings):
    """Count the processes to start: by default one a core and net, one alone for a GPU."""
    if settings.n_jobs is None:
        wanted = os.cpu_count() if resolve_device(settings.device).type == "cpu" else 1
    elif settings.n_jobs < 0:
        wanted = max(1, os.cpu_count() + 1 + settings.n_jobs)
    else:
        wanted = settings.n_jobs
    return min(wanted, len(settings.nets))


def count_threads(n_jobs):
    """Count the threads of each process, its share of those that torch would use."""
    return max(1, torch.get_num_threads() // n_jobs)


def run_nets(data, settings, tell, keep):
    """Run every net, until done or interrupted from the keyboard.

    Parameters
    ----------
    data : Data
        The data.
    settings : Settings
        What was asked for.
    tell : callable
        ``tell(stage, name)`` after each epoch and each strength of any net.
    keep : callable
        ``keep(name, record)`` as each net ends, with what :func:`run_net` returns.

    Returns
    -------
    interrupted : bool
        Whether a keyboard interrupt ended it; what was found until then has been kept.
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


def _effort(name, settings):
    """Rough work of training, to start the longest first."""
    net = make_net(name, settings)
    attack = getattr(net, "attack", None)
    steps = getattr(attack() if isinstance(attack, type) else attack, "max_iter", 1)
    return net.max_epochs * (1 + (attack is not None) * steps)


def _run_in_processes(settings, n_jobs, tell, keep):
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    told, stop = context.Queue(), context.Event()
    threads = count_threads(n_jobs)
    names = sorted(settings.nets, key=lambda name: -_effort(name, settings))
    with ProcessPoolExecutor(n_jobs, context, _start, (settings, told, stop, threads)) as pool:
        with _ignoring_interrupts():  # the children inherit it: Ctrl-C reaches the parent alone
            futures = {pool.submit(_run_there, name): name for name in names}
        asked = None
        while futures:
            try:
                done, _ = wait(futures, timeout=0.2, return_when="FIRST_COMPLETED")
                _drain(told, tell)
                for future in done:
                    keep(futures.pop(future), _result(future, stop))
            except KeyboardInterrupt:
                asked = _stop(stop, asked)
    return stop.is_set()


def _stop(stop, asked):
    """Ask the processes to end at their next batch; if asked before, end them."""
    now = time.monotonic()
    if asked is None:
        stop.set()
        return now
    if now - asked > _PATIENCE:
        for child in multiprocessing.active_children():
            child.terminate()
    return asked


def _result(future, stop):
    try:
        return future.result()
    except BrokenProcessPool:
        ended = None if stop.is_set() else "its process ended unexpectedly (out of memory?)"
        return _new_record(interrupted=stop.is_set(), failed=ended)


def _drain(told, tell):
    while True:
        try:
            tell(*told.get_nowait())
        except queue.Empty:
            return


@contextmanager
def _ignoring_interrupts():
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_there = None  # what a process works on


def _start(settings, told, stop, threads):
    """Prepare a process: its data, its way to report, its share of the cores."""
    global _there
    torch.set_num_threads(threads)
    _there = (load_for(settings), settings, told, stop)


def _run_there(name):
    data, settings, told, stop = _there
    return run_net(name, data, settings, lambda *step: told.put(step), stop.is_set)
