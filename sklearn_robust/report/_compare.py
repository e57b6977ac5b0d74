"""A comparison of nets, from the request to the folder of results."""

import os
import platform
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
import sklearn
import torch

from .._version import __version__
from ..nets._engine.device import resolve_device
from ..plotting._style import shown_radius
from ._attack import WORST
from ._data import load_for
from ._errors import BadInput, blame_input
from ._examples import add_examples
from ._files import load_nets, open_folder, write_report
from ._progress import Progress
from ._results import Results, judge
from ._train import make_net
from ._work import count_jobs, count_threads, run_nets
from .studies import STUDIES, add_studies

__all__ = ["compare"]

_N_CURVE = 4  # points of the curves up to the greatest strength, and as many beyond


def compare(settings):
    """Train nets, attack them, and write the report.

    Parameters
    ----------
    settings : Settings
        What to do.

    Returns
    -------
    results : Results
        All that was found; also written to the folder ``settings.output``.
    page : pathlib.Path
        The report.

    Raises
    ------
    BadInput
        If the request makes no sense, or every net failed.
    KeyboardInterrupt
        If it was interrupted before there was anything to report.
    """
    start = time.perf_counter()
    with blame_input(ValueError):
        resolve_device(settings.device)
    data = load_for(settings)
    settings = _complete(settings, data)
    folder = open_folder(settings.output)
    results = Results(_frame(settings, data))
    _run(results, data, settings)
    if not results.trained:
        reasons = [f"{name}: {net['failed']}" for name, net in results["nets"].items()]
        if results["interrupted"]:
            raise KeyboardInterrupt
        raise BadInput("no net could be trained. " + " ".join(reasons))
    results.plain["verdict"] = judge(results)
    try:
        _look_into(results, data, load_nets(results, folder), settings.verbosity)
    except KeyboardInterrupt:
        results.plain["interrupted"] = True
    results.plain["about"]["seconds"] = time.perf_counter() - start
    return results, write_report(results, folder)


def _complete(settings, data):
    """Fill in the strengths that suit the data where none were given."""
    eps = settings.eps or data.eps
    if eps is None:
        raise BadInput(
            f"there are no usual strengths for {settings.data}; give some in the units of the "
            "data, such as --eps 0.05 0.1 0.2."
        )
    eps = tuple(sorted(set(eps)))
    train_eps = eps[len(eps) // 2] if settings.train_eps is None else settings.train_eps
    return replace(settings, eps=eps, train_eps=train_eps)


def _radii(eps):
    """Strengths of the tables, and those between and beyond that make a curve."""
    grid = max(eps) * np.arange(1, 2 * _N_CURVE + 1) / _N_CURVE
    grid = [radius for radius in grid if not np.isclose(radius, eps, rtol=1e-6).any()]
    return tuple(float(radius) for radius in sorted([*eps, *grid]))


def _frame(settings, data):
    """Results before the first net: the request, the data, the machine."""
    eps, n_jobs = settings.eps, count_jobs(settings)
    return {
        "about": {
            "sklearn_robust": __version__,
            "command": settings.command(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
            "device": str(resolve_device(settings.device)),
            "processes": n_jobs,
            "threads": count_threads(n_jobs),
            "cores": os.cpu_count(),
        },
        "settings": {**asdict(settings), "nets": list(settings.nets), "eps": list(eps)},
        "data": {
            "title": data.title,
            "kind": data.kind,
            "n_train": len(data.X_train),
            "n_test": len(data.X_test),
            "sample_shape": list(data.X_test.shape[1:]),
            "classes": [data.name_of(label) for label in np.unique(data.y_train).tolist()],
            "bounds": data.bounds,
        },
        "norm": "linf",
        "eps": list(eps),
        "radii": list(_radii(eps)),
        "train_eps": settings.train_eps,
        "verdict_eps": settings.train_eps if settings.train_eps in eps else eps[len(eps) // 2],
        "nets": {},
        "interrupted": False,
    }


def _run(results, data, settings):
    """Fill in the nets, and keep the order of the request."""
    radii = tuple(results["radii"])
    epochs = sum(make_net(name, settings).max_epochs for name in settings.nets)
    totals = {"training": epochs, "attacks": len(settings.nets) * len(radii)}
    nets = results["nets"]
    with Progress(settings.verbosity, **totals) as progress:

        def keep(name, record):
            masks = record.pop("masks")
            results.arrays |= {f"{name}/{attack}": np.array(m) for attack, m in masks.items()}
            nets[name] = record
            progress.say(_line(results, name))

        work = replace(settings, eps=radii)
        results.plain["interrupted"] = run_nets(data, work, progress.step, keep)
    results.plain["nets"] = {name: nets[name] for name in settings.nets if name in nets}


def _look_into(results, data, nets, verbosity):
    """Add what can be seen of the trained nets: attacked samples, and all studies."""
    add_examples(results, data, nets)
    with Progress(verbosity, studies=len(STUDIES)) as progress:
        add_studies(results, data, nets, progress.step)


def _line(results, name):
    """One net in one line, for the terminal."""
    net, eps = results["nets"][name], results["verdict_eps"]
    if net["failed"]:
        return f"{name}: {net['failed']}"
    worst = results.accuracy(name, WORST, eps)
    if worst is None:
        return f"{name}: interrupted"
    return (
        f"{name}: natural {net['natural']:.1%}, worst case at eps={shown_radius(eps)} "
        f"{worst:.1%}, trained in {net['training']['seconds']:.1f} s"
    )
