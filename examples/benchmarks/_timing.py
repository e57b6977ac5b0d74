"""Time several ways of doing the same work side by side, as ratios to the first."""

import gc
import time

import torch

__all__ = ["print_table", "ratios"]


def ratios(ways, *, n_rounds=5, setup=None):
    """Median seconds of each way, measured in turns so that a busy machine slows all alike.

    Parameters
    ----------
    ways : dict of str to callable
        What to time; the first is the anchor.
    n_rounds : int
        Turns.
    setup : callable or None
        Called before each measurement.

    Returns
    -------
    rows : list of (name, seconds, ratio)
        Process time with one thread; the ratio is the median over turns of the ratio within a turn.
    """
    names = list(ways)
    seconds = {name: [] for name in names}
    for name in names:  # warm up caches and kernels
        ways[name]()
    for turn in range(n_rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if setup is not None:
                setup()
            gc.collect()
            start = time.process_time()
            ways[name]()
            seconds[name].append(time.process_time() - start)
    table = torch.tensor([seconds[name] for name in names])
    quotient = (table / table[0]).median(dim=1).values.tolist()
    return list(zip(names, table.median(dim=1).values.tolist(), quotient, strict=True))


def print_table(title, rows, limits=None):
    """Print the rows of :func:`ratios` with the ratio that must hold, where there is one."""
    print(f"\n{title}")
    for name, seconds, ratio in rows:
        limit = (limits or {}).get(name)
        holds = "" if limit is None else "yes" if ratio <= limit else "NO"
        verdict = "" if limit is None else f"   at most {limit:g}: {holds}"
        print(f"  {name:<44s} {seconds:9.4f} s  x{ratio:6.2f}{verdict}")
