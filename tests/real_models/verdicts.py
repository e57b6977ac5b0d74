"""Verdict on one call: right, refused in a sentence of ours, wrong, or a raw error."""

import re
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

import sklearn_robust

PACKAGE = Path(sklearn_robust.__path__[0])

RIGHT, REFUSED, WRONG, RAW, ABSENT = "right", "refused", "wrong", "raw error", "-"

# What a sentence of ours says to do; torch's own messages hardly ever do.
ADVICE = re.compile(
    r"\b(give|type|pass|use|call|remove|leave|return|returns|make|keep|attack|register|build|set|"
    r"add|fix|load|save|write|choose|average|wrap|move|convert|divide|take|fit|replace|lower|saved|wanted|written|needs|must)\b",
    re.IGNORECASE,
)


class Verdict(NamedTuple):
    """What came of a call."""

    kind: str
    note: str = ""

    @property
    def good(self):
        return self.kind in (RIGHT, REFUSED)


class Mismatch(AssertionError):
    """A number that differs from the oracle's."""


SKLEARN = re.compile(r"/sklearn/utils/(validation|_response|_param_validation)\.py$")


def is_ours(error, sklearn=True):
    """Whether an error was raised, not just passed on, by the library and says what to do.

    Parameters
    ----------
    error : Exception
        With its traceback.
    sklearn : bool, default=True
        Whether scikit-learn's own checks of arrays and of fitted estimators count as well.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not isinstance(error, ValueError | TypeError | OSError):
        return False
    if sklearn and SKLEARN.search(frames[-1].filename) and "\n" not in str(error):
        return True
    raised = (frames[-1].line or "").startswith("raise")
    return (
        raised and PACKAGE in Path(frames[-1].filename).parents and bool(ADVICE.search(str(error)))
    )


def judge(call):
    """Run ``call``, which raises :class:`Mismatch` where a number is wrong.

    Parameters
    ----------
    call : callable
        Without arguments; what it returns goes into the note.

    Returns
    -------
    verdict : Verdict
        Errors of ours are refusals, all others are raw.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            note = call()
    except Mismatch as error:
        return Verdict(WRONG, str(error))
    except Exception as error:
        note = f"{type(error).__name__}: {str(error).strip()[:300]}"
        if is_ours(error):
            return Verdict(REFUSED, note)
        return Verdict(RAW, f"{note} [{place(error)}]")
    return Verdict(RIGHT, "" if note is None else str(note))


def place(error):
    """Last line of the library that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if PACKAGE in Path(f.filename).parents]
    if not own:
        return "outside the library"
    return f"{Path(own[-1].filename).relative_to(PACKAGE)}:{own[-1].lineno}"


def expect(condition, note):
    """Raise :class:`Mismatch` unless ``condition`` holds."""
    if not condition:
        raise Mismatch(note)


def expect_close(got, right, rtol, what, atol=0.0):
    """Raise :class:`Mismatch` unless the largest error is at most ``rtol`` of the largest value."""
    import numpy as np

    got, right = np.asarray(got, dtype=float), np.asarray(right, dtype=float)
    expect(got.shape == right.shape, f"{what} has shape {got.shape}, not {right.shape}")
    if not right.size:
        return
    both = np.isfinite(got) & np.isfinite(right)
    same = (got == right) | (np.isnan(got) & np.isnan(right))
    expect(bool(np.all(both | same)), f"{what} is not finite in the same places")
    size = float(np.abs(right[both]).max()) if both.any() else 0.0
    gap = float(np.abs(got - right)[both].max()) if both.any() else 0.0
    expect(gap <= rtol * size + atol, f"{what} is off by {gap:.3g} of {size:.3g}")
