"""Looks into the trained nets; a new one is a function and a line here."""

import time
import traceback
import warnings

from ._changes import changes
from ._clusters import clusters
from ._common import NotShown
from ._indicators import indicators
from ._jacobians import jacobians
from ._margins import margins
from ._spectra import spectra
from ._surface import surface

__all__ = ["STUDIES", "add_studies"]

# Each takes the Results, the Data and the nets by name; it returns plain facts, whose "nets" are
# the numbers of each net, and arrays. Where the data do not lend themselves it raises NotShown.
STUDIES = {
    "surface": surface,
    "jacobians": jacobians,
    "indicators": indicators,
    "margins": margins,
    "spectra": spectra,
    "changes": changes,
    "clusters": clusters,
}


def add_studies(results, data, nets, tell=lambda *_: None):
    """Look into the nets, and keep what was found or why there is nothing.

    Parameters
    ----------
    results : Results
        Gets "studies", and the arrays that belong to them.
    data : Data
        The data.
    nets : dict of str to net
        The nets that were attacked.
    tell : callable
        ``tell("studies", name)`` after each study.
    """
    if not nets:
        return
    found = results.plain["studies"] = {}
    for name, study in STUDIES.items():
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            facts, arrays = _run(study, results, data, nets)
        facts["notes"] = list(dict.fromkeys(str(warning.message) for warning in caught))
        facts["seconds"] = time.perf_counter() - start
        found[name] = facts
        results.arrays |= {f"{name}/{key}": array for key, array in arrays.items()}
        tell("studies", name)


def _run(study, results, data, nets):
    try:
        return study(results, data, nets)
    except NotShown as reason:
        return {"missing": str(reason)}, {}
    except Exception as error:  # a picture must not cost the hours of training before it
        traceback.print_exc()
        return {"missing": f"{type(error).__name__}: {error}"}, {}
