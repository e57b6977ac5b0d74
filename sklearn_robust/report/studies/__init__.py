"""Studies of the trained nets; a new one is a function and a line here."""

from __future__ import annotations

import json
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from ...attacks._cache import content_hash
from .._data import Data
from .._evidence import versions
from .._kept import Finished, Kept, difference
from .._results import Results
from ._clusters import clusters
from ._common import Found, NotShown
from ._examples import add_examples
from ._regularization import changes, margins, spectra
from ._surfaces import indicators, jacobians, surface

__all__ = ["STUDIES", "add_examples", "add_studies"]

# Each takes the Results, the Data and the nets by name, and returns plain facts, whose "nets" are
# the numbers of each net, and arrays. Where the data do not suit the study, it raises NotShown.
STUDIES: dict[str, Callable[[Results, Data, dict[str, Any]], Found]] = {
    "surface": surface,
    "jacobians": jacobians,
    "indicators": indicators,
    "margins": margins,
    "spectra": spectra,
    "changes": changes,
    "clusters": clusters,
}


def add_studies(
    results: Results,
    data: Data,
    nets: dict[str, Any],
    tell: Callable[[str, str], None] = lambda *_: None,
    kept: Kept | None = None,
    use: bool = False,
) -> None:
    """Run all studies, and keep their facts or the reason why there are none.

    Parameters
    ----------
    results : Results
        Receives "studies" and their arrays.
    data : Data
        Data of the comparison.
    nets : dict of str to net
        Nets that were attacked.
    tell : callable
        ``tell("studies", name)`` after each study.
    kept : Kept, default=None
        Where to write down what each study found.
    use : bool, default=False
        Whether to use what is there already.
    """
    if not nets:
        return
    found: dict[str, Any] = {}
    results.plain["studies"] = found
    key = _key(results, data) if kept else {}
    for name in STUDIES:
        part = kept.read(f"study-{name}") if kept and use else None
        if part is None or difference(part.key, key) is not None:
            part = _find(name, results, data, nets, key)
            if kept:
                kept.write(f"study-{name}", part)
        found[name] = part.plain
        results.arrays |= {f"{name}/{entry}": array for entry, array in part.arrays.items()}
        tell("studies", name)


def _key(results: Results, data: Data) -> dict[str, Any]:
    """All that the studies depend on: nets that were trained and attacked alike are equal."""
    nets = {
        name: (net["params"], net.get("training", {}).get("train_loss"))
        for name, net in results["nets"].items()
    }
    text = json.dumps([nets, results["summary"], results["radii"]])
    return {
        **versions(),
        "the data": data.digest,
        "--seed": results["settings"]["seed"],
        "the results": content_hash((text, results.arrays), "result"),
    }


def _find(
    name: str, results: Results, data: Data, nets: dict[str, Any], key: dict[str, Any]
) -> Finished:
    """Run one study, and note its warnings and how long it took."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        facts, arrays = _run(STUDIES[name], results, data, nets)
    facts["notes"] = list(dict.fromkeys(str(warning.message) for warning in caught))
    facts["seconds"] = time.perf_counter() - start
    return Finished(key, facts, arrays)


def _run(study: Callable[..., Found], results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Run one study; a failure becomes the reason why it shows nothing."""
    try:
        return study(results, data, nets)
    except NotShown as reason:
        return {"missing": str(reason)}, {}
    except Exception as error:  # a picture must not cost the hours of training before it
        traceback.print_exc()
        return {"missing": f"{type(error).__name__}: {error}"}, {}
