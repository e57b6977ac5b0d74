"""Comparison of nets, from the settings to the folder of results."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import sklearn
import torch
from tqdm import tqdm

from .._version import __version__
from ..nets._engine.device import resolve_device
from ..plotting._style import shown_radius
from ._attack import WORST
from ._data import Data, load_for
from ._files import load_nets, open_folder, write_report
from ._kept import Kept
from ._models import load_model
from ._processes import count_jobs, count_threads, run_models
from ._results import Results, summarize
from ._settings import BadInput, Settings, blame_input
from ._train import make_net
from ._work import recall
from .studies import STUDIES, add_examples, add_studies

__all__ = ["compare"]

_N_CURVE = 4  # points of the curves up to the greatest strength, and as many beyond
_UNITS = {"training": "epoch", "attacks": "strength", "studies": "study"}


def compare(settings: Settings) -> tuple[Results, Path]:
    """Train nets, attack them and models that are given, and write the report.

    Parameters
    ----------
    settings : Settings
        Settings of the comparison.

    Returns
    -------
    results : Results
        Everything that was found; also written to the folder ``settings.output``.
    page : pathlib.Path
        Page of the report.

    Raises
    ------
    BadInput
        If the settings make no sense, or every net failed.
    KeyboardInterrupt
        If it was interrupted before there was anything to report.
    """
    start = time.perf_counter()
    with blame_input(ValueError):
        resolve_device(settings.device)
    data = load_for(settings)
    settings = _complete(settings, data)
    for spec in settings.models:  # a mistake is told before hours of training
        load_model(spec, trust_pickle=settings.trust_pickle, device=settings.device)
    folder = open_folder(settings.output)
    settings = replace(settings, output=str(folder))
    results = Results(_frame(settings, data))
    _run(results, data, settings)
    if not results.judged:
        reasons = [f"{name}: {net['failed']}" for name, net in results["nets"].items()]
        if results["interrupted"]:
            raise KeyboardInterrupt
        raise BadInput("no net could be trained. " + " ".join(reasons))
    results.plain["summary"] = summarize(results)
    if not results["interrupted"]:
        try:
            _study(results, data, load_nets(results, folder), settings)
        except KeyboardInterrupt:
            results.plain["interrupted"] = True
    results.plain["about"]["seconds"] = time.perf_counter() - start
    return results, write_report(results, folder)


def _complete(settings: Settings, data: Data) -> Settings:
    """Fill in strengths that suit the data where none were given."""
    eps = settings.eps or data.eps
    if eps is None:
        raise BadInput(
            f"there are no usual strengths for {settings.data}; give some in the units of the "
            "data, such as --eps 0.05 0.1 0.2."
        )
    eps = tuple(sorted(set(eps)))
    train_eps = eps[len(eps) // 2] if settings.train_eps is None else settings.train_eps
    return replace(settings, eps=eps, train_eps=train_eps)


def _radii(eps: tuple[float, ...]) -> tuple[float, ...]:
    """Strengths of the tables, and others between and beyond that make a curve."""
    grid = max(eps) * np.arange(1, 2 * _N_CURVE + 1) / _N_CURVE
    between = [radius for radius in grid if not np.isclose(radius, eps, rtol=1e-6).any()]
    return tuple(float(radius) for radius in sorted([*eps, *between]))


def _frame(settings: Settings, data: Data) -> dict[str, Any]:
    """Results before the first net: settings, data and machine."""
    eps, n_jobs = settings.eps or (), count_jobs(settings)
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
        "settings": asdict(settings)
        | {"nets": list(settings.nets), "models": list(settings.models), "eps": list(eps)},
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
        "summary_eps": settings.train_eps if settings.train_eps in eps else eps[len(eps) // 2],
        "nets": {},
        "interrupted": False,
    }


def _run(results: Results, data: Data, settings: Settings) -> None:
    """Train and attack the nets, and keep them in the order of the settings."""
    radii = tuple(results["radii"])
    epochs = sum(make_net(name, settings).max_epochs for name in settings.nets)
    totals = {"training": epochs, "attacks": len(settings.names) * len(radii)}
    nets = results["nets"]
    work = replace(settings, eps=radii)
    with Progress(settings.verbosity, **totals) as progress:

        def keep(name: str, record: dict[str, Any]) -> None:
            masks = record.pop("masks")
            results.arrays |= {f"{name}/{attack}": np.array(m) for attack, m in masks.items()}
            nets[name] = record
            progress.say(_line(results, name))

        if settings.resume:
            for name in settings.names:
                progress.say(recall(name, data, work)[1])
        results.plain["interrupted"] = run_models(data, work, progress.step, keep)
    results.plain["nets"] = {name: nets[name] for name in settings.names if name in nets}


def _study(results: Results, data: Data, nets: dict[str, Any], settings: Settings) -> None:
    """Add attacked samples and all studies of the trained nets."""
    add_examples(results, data, nets)
    kept = Kept(settings.output)
    with Progress(settings.verbosity, studies=len(STUDIES)) as progress:
        add_studies(results, data, nets, progress.step, kept, use=settings.resume)


def _line(results: Results, name: str) -> str:
    """Results of one net in one line, for the terminal."""
    net, eps = results["nets"][name], results["summary_eps"]
    if net["failed"]:
        return f"{name}: {net['failed']}"
    worst = results.accuracy(name, WORST, eps)
    if worst is None:
        return f"{name}: interrupted"
    trained = f", trained in {net['training']['seconds']:.1f} s" if "training" in net else ""
    bound = ", an upper bound by scores alone" if results.is_bound(name, eps) else ""
    return (
        f"{name}: natural {net['natural']:.1%}, worst case at eps={shown_radius(eps)} "
        f"{worst:.1%}{bound}{trained}"
    )


class Progress:
    """Progress bars, one for each stage over all nets together.

    Parameters
    ----------
    verbosity : int
        0 shows nothing, 1 shows bars on a terminal and a line for each stage elsewhere, 2 shows
        bars always.
    **totals : int
        Number of steps of each stage: epochs of training, strengths of attacks, studies.
    """

    def __init__(self, verbosity: int, **totals: int) -> None:
        disable = {0: True, 1: None}.get(verbosity, False)
        self.verbosity, self.totals = verbosity, totals
        self.begun: set[str] = set()  # stages that have said so where no bar is shown
        self.bars = {
            stage: tqdm(
                total=total,
                desc=stage,
                unit=_UNITS[stage],
                disable=disable,
                position=place,
                dynamic_ncols=True,
            )
            for place, (stage, total) in enumerate(totals.items())
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for bar in self.bars.values():
            bar.close()

    def step(self, stage: str, name: str) -> None:
        """Advance the bar of a stage by one, for the net or the study ``name``."""
        if self.verbosity == 1 and self.bars[stage].disable and stage not in self.begun:
            self.begun.add(stage)
            n = self.totals[stage]
            print(f"{stage}: {n} steps of one {_UNITS[stage]} each ...", flush=True)
        self.bars[stage].set_postfix_str(name, refresh=False)
        self.bars[stage].update()

    def say(self, line: str) -> None:
        """Write a line above the bars."""
        if self.verbosity:
            tqdm.write(line)
