"""Files of a report."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..nets import load_net
from ._attack import ATTACKS, PROVEN
from ._page import write_page
from ._results import Results
from ._settings import BadInput

__all__ = ["load_nets", "open_folder", "read_results", "write_report"]


def open_folder(path: str) -> Path:
    """Make the folder of a report.

    Parameters
    ----------
    path : str
        Path of the folder.

    Returns
    -------
    folder : pathlib.Path
        Folder that can be written to.

    Raises
    ------
    BadInput
        If it cannot be made or written to, or holds an index.html that is not of a report.
    """
    folder = Path(path).expanduser()
    if (folder / "index.html").exists() and not (folder / "results.json").exists():
        raise BadInput(
            f"{folder} has an index.html that is not of a report; give another folder as --output."
        )
    try:
        for part in ("nets", "figures"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        probe = folder / "results.json.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"cannot write to {folder} ({error.strerror}); give another folder as --output."
        ) from error
    return folder


def write_report(results: Results, folder: Path) -> Path:
    """Write the numbers, then the figures, then the page.

    Parameters
    ----------
    results : Results
        Results of the comparison.
    folder : pathlib.Path
        Folder to write to.

    Returns
    -------
    page : pathlib.Path
        Page to open in a browser.
    """
    text = json.dumps(results.plain, indent=1, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    arrays: dict[str, Any] = results.arrays
    np.savez_compressed(folder / "arrays.npz", **arrays)
    head = ["net", "attack", "eps", "accuracy", "n_samples", "train_seconds"]
    _write_csv(folder / "results.csv", head, _rows(results))
    head = ["net", "study", "measure", "layer", "value"]
    _write_csv(folder / "studies.csv", head, _found(results))
    return write_page(results, folder)


def load_nets(results: Results, folder: Path) -> dict[str, Any]:
    """Load the nets that were trained here and attacked with every strength of the tables.

    Parameters
    ----------
    results : Results
        Results of the comparison.
    folder : pathlib.Path
        Folder of the report.

    Returns
    -------
    nets : dict of str to net
        Nets by name, in the order of the report.
    """
    device = results["settings"]["device"]
    nets = results["nets"]
    files = {
        name: folder / nets[name]["file"] for name in results.attacked if name in results.trained
    }
    return {name: load_net(file, device=device) for name, file in files.items()}


def read_results(folder: Path) -> Results:
    """Read the results that :func:`write_report` wrote.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of a report.

    Returns
    -------
    results : Results
        Everything that the page shows.
    """
    plain = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        return Results(plain, dict(arrays))


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def _rows(results: Results) -> Iterator[Sequence[Any]]:
    n = results["data"]["n_test"]
    for name in results.judged:
        net = results["nets"][name]
        seconds = round(net["training"]["seconds"], 3) if "training" in net else ""
        yield name, "natural", 0.0, net["natural"], n, seconds
        for attack in (*ATTACKS, PROVEN):
            for eps, accuracy in zip(results["radii"], results.curve(name, attack), strict=False):
                yield name, attack, eps, accuracy, n, seconds


def _found(results: Results) -> Iterator[Sequence[Any]]:
    """One row for each number of a net, of a layer of it, or of all nets together."""
    for study, facts in results.get("studies", {}).items():
        for measure, rho in facts.get("correlations", {}).items():
            yield "", study, f"rank correlation of {measure}", "", rho
        for name, measures in facts.get("nets", {}).items():
            for measure, value in measures.items():
                if isinstance(value, list):
                    for layer, part in zip(facts["layers"], value, strict=True):
                        yield name, study, measure, layer, part
                else:
                    yield name, study, measure, "", value
