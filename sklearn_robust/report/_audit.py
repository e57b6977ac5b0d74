"""Audit of one fitted model: how robust it is, and whether to trust the number."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from torch import nn

from .. import _validation as check
from .._norms import is_missing
from ..attacks import BaseAttack, WorstCase
from ..attacks._evaluation import open_samples, params_of, robust_mask
from ..differentiable import Model, open_model
from ..differentiable._state import records
from ..exceptions import BlackBoxWarning, NotDifferentiableError, ZeroGradientWarning
from ..metrics import input_jacobian, suggest_eps
from ..metrics._assert_robust import attack_for
from ..metrics._report import measure, wilson_interval
from ..metrics._suggest_eps import EpsMeaning, describe_eps
from ..plotting._style import typed_radius
from ._audit_report import AuditReport
from ._evidence import SCHEMA, VERSION, hash_samples, pack, versions

__all__ = ["Audit", "parse_share", "run_audit"]

_FACTORS = (0.25, 0.5, 1.0, 1.5, 2.0)  # multiples of eps on the curve
_FACTORS_BLACK_BOX = (0.5, 1.0, 2.0)
_SHARE = 0.1  # of the spread of a column, where no eps is given for a table
_N_JACOBIANS = 200

Mask = NDArray[np.bool_]


@dataclass
class Audit:
    """What to judge, and how; see :func:`robustness_page` for most of it.

    Attributes
    ----------
    source, title : str or None
        Where the model and the data came from.
    command : str or None
        Command line that repeats the audit.
    typed : dict
        Words of that command by option, for the lines that a reader is told to type.
    """

    estimator: Any
    X: Any
    y: Any
    eps: Any = None
    norm: Any = "linf"
    bounds: Any = "auto"
    mask: Any = None
    integer: Any = None
    attack: BaseAttack | None = None
    class_names: list[str] | None = None
    feature_names: list[str] | None = None
    random_state: int = 0
    n_jobs: int | None = None
    source: str | None = None
    title: str | None = None
    command: str | None = None
    curve: bool = True
    typed: dict[str, Any] = field(default_factory=dict)


def parse_share(eps: Any) -> float | None:
    """Share that a text such as "5%" means, or None for anything else."""
    if not isinstance(eps, str):
        return None
    try:
        share = float(eps.strip().removesuffix("%")) / 100
    except ValueError:
        share = np.nan
    if not eps.strip().endswith("%") or not 0 < share < np.inf:
        raise ValueError(
            f"eps is {eps!r}; give a radius in the units of X, such as 0.1, or a share of each "
            "feature's standard deviation, such as '5%'."
        )
    return share


@records
def run_audit(asked: Audit) -> AuditReport:
    """Attack a model, look for signs of masking, and collect the evidence.

    Parameters
    ----------
    asked : Audit
        What to judge, and how.

    Returns
    -------
    report : AuditReport
        What was found; no page is written.
    """
    model = open_model(asked.estimator, asked.X, params_of(asked.attack))
    names = asked.feature_names or _column_names(asked.X)
    X_given = _shaped_for(model, asked.X)
    y, class_names = _labels_for(model, asked.y, asked.class_names)
    check.check_labels(y)
    X, codes = open_samples(model, X_given, y)
    meaning = _meaning(asked, model, X, codes)
    threat = {"eps": meaning.eps, "norm": meaning.norm, "bounds": asked.bounds}
    _check_radius(threat, X)
    main = attack_for(model, asked.attack, **threat, mask=asked.mask, integer=asked.integer)
    main.set_params(random_state=asked.random_state)
    main = main.on_columns(model)
    main.check_parameters()
    with warnings.catch_warnings():  # the page has its own words for them
        warnings.simplefilter("ignore", ZeroGradientWarning)
        warnings.simplefilter("ignore", BlackBoxWarning)
        numbers, masks = measure(model, X, codes, main, main, asked.n_jobs)
        checked = main.threat_model.on(X)
        proven = masks.get("certified")
        curve = _curve(model, X, codes, main, masks, asked)
    shown = class_names or [str(label) for label in model.classes_]
    plain = _evidence(asked, model, X, codes, numbers, masks, proven, checked, shown)
    plain["attack"] = repr(main)
    return AuditReport(
        plain=plain,
        meaning=meaning,
        curve=curve,
        sensitivity=_sensitivity(model, X, codes, masks["clean"], meaning.eps),
        feature_names=names,
        kinds=_kinds(main, numbers["attacks"]),
        typed={**asked.typed, **_typed_eps(asked, meaning, X)},
    )


# -- what was given --------------------------------------------------------------------------------


def _column_names(X: Any) -> list[str] | None:
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def _shaped_for(model: Model, X: Any) -> Any:
    """Return samples in the shape of the model: as rows for one that was fitted on rows."""
    wanted = model.input_shape
    if wanted is None or not isinstance(X, np.ndarray) or X.ndim < 3:
        return X
    flat = X.reshape(len(X), -1)
    return flat if tuple(wanted) == flat.shape[1:] else X


def _labels_for(model: Model, y: Any, names: list[str] | None) -> tuple[Any, list[str] | None]:
    """Labels as the model spells them, and names of its classes to show."""
    labels = np.asarray(y)
    estimator = model.estimator
    bare = isinstance(estimator, nn.Module) and not isinstance(estimator, BaseEstimator)
    if bare:
        if labels.dtype.kind in "UO":  # the columns of the module are the sorted names
            found, labels = np.unique(labels.astype(str), return_inverse=True)
            return labels, names or found.tolist()
        return labels, names
    known = np.asarray(model.classes_)
    if names is not None and labels.dtype.kind in "iu" and known.dtype.kind in "UO":
        return np.asarray(names)[labels], None
    return y, names if names is not None and len(names) == len(known) else None


def _meaning(asked: Audit, model: Model, X: NDArray[Any], codes: NDArray[np.int64]) -> EpsMeaning:
    """Radius of the audit, and what it means; categories of a table move by no distance."""
    share, eps, moves = parse_share(asked.eps), asked.eps, np.array(1.0)
    if model.table is not None:
        missing, moves = is_missing(X), 1.0 - model.table.still
        X = np.where(missing, np.where(missing, 0.0, X).mean(axis=0), X)
        share = _SHARE if eps is None else share
    if share is not None:
        eps = share * np.asarray(X, np.float64).std(axis=0) * moves
        if not np.any(eps > 0):
            raise ValueError("no feature of X varies, so that a share of it is no radius.")
    return suggest_eps(X, codes, eps=eps, norm=asked.norm)


def _check_radius(threat: dict[str, Any], X: NDArray[np.float32]) -> None:
    """Refuse a ball that holds the whole box: it asks nothing of a classifier."""
    box = check.check_bounds(threat["bounds"], X)
    if box is None or threat["norm"] != "linf":
        return
    width = np.asarray(box[1] - box[0])
    if np.all(np.asarray(threat["eps"]) >= width):
        eps = float(np.max(threat["eps"]))
        hint = "give a smaller one."
        if 1 <= eps < 256 and abs(eps * 8 - 255) < 1e-6:
            hint = "did you mean 8/255?"
        raise ValueError(
            f"eps is {eps:.4g}, and X spans {X.min():.4g} to {X.max():.4g}: every sample could "
            f"become any other; {hint}"
        )


def _typed_eps(asked: Audit, meaning: EpsMeaning, X: NDArray[np.float32]) -> dict[str, Any]:
    """How to type the radius again: on the command line, in Python, and how to show it."""
    eps = meaning.eps
    if isinstance(asked.eps, str):
        return {"eps": asked.eps, "eps_python": repr(asked.eps), "shown_eps": _shown_share(asked)}
    if np.ndim(eps) == 0:
        text = typed_radius(float(eps))
        return {"eps": text, "eps_python": text, "shown_eps": text}
    if asked.eps is None:
        factor = float(np.max(meaning.share[np.isfinite(meaning.share)]))
        text = f"{100 * factor:.4g}%"
        if asked.norm == "linf":
            shown = f"{text} of each feature's standard deviation"
            return {"eps": text, "eps_python": repr(text), "shown_eps": shown}
    python = "eps" if asked.eps is not None else "suggest_eps(X, y, norm=...).eps"
    return {"eps": None, "eps_python": python, "shown_eps": describe_eps(eps)}


def _shown_share(asked: Audit) -> str:
    return f"{asked.eps.strip()} of each feature's standard deviation"


# -- what was found --------------------------------------------------------------------------------


def _curve(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    main: BaseAttack,
    masks: dict[str, Mask],
    asked: Audit,
) -> dict[str, Any]:
    """Accuracy at fractions and multiples of eps; a sample lost at one radius is lost beyond."""
    found = {0.0: masks["clean"], 1.0: masks["worst_case"]}
    factors = _FACTORS if model.differentiable else _FACTORS_BLACK_BOX
    radius = np.asarray(main.threat_model.on(X).eps)

    def left(factor: float, rows: Mask) -> Mask:
        eps = factor * radius
        attack = clone(main).set_params(eps=eps if eps.ndim else float(eps))
        return robust_mask(model, X, codes, attack, correct=rows, n_jobs=asked.n_jobs)

    if asked.curve:
        robust = found[1.0]
        for factor in sorted((f for f in factors if f < 1), reverse=True):
            robust = found[factor] = robust | left(factor, found[0.0] & ~robust)
        robust = found[1.0]
        for factor in sorted(f for f in factors if f > 1):
            robust = found[factor] = left(factor, robust)
    ordered = sorted(found)
    return {"factors": ordered, "attacked": [float(found[f].mean()) for f in ordered]}


def _sensitivity(
    model: Model, X: NDArray[np.float32], codes: NDArray[np.int64], correct: Mask, eps: Any
) -> NDArray[Any] | None:
    """Mean change of the margin, to first order, when one feature moves by eps."""
    rows = np.flatnonzero(correct)[:_N_JACOBIANS]
    if not model.differentiable or not len(rows):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jacobian = input_jacobian(model, X[rows], model.classes_[codes[rows]])
    except (NotDifferentiableError, ValueError, RuntimeError):
        return None
    return np.abs(jacobian).mean(axis=0) * np.broadcast_to(eps, X.shape[1:])


def _kinds(main: BaseAttack, names: Any) -> dict[str, str]:
    """Whether each attack of the report sees gradients ("white box") or scores ("black box")."""
    members = main.members() if isinstance(main, WorstCase) else [main]
    return {
        name: "white box" if member.needs_gradient else "black box"
        for name, member in zip(names, members, strict=True)
    }


def _evidence(
    asked: Audit,
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    numbers: dict[str, Any],
    masks: dict[str, Mask],
    proven: Mask | None,
    threat: Any,
    classes: list[str],
) -> dict[str, Any]:
    """Plain data of the audit."""
    certified = None if proven is None else float(proven.mean())
    sides = None if proven is None else list(wilson_interval(int(proven.sum()), len(X)))
    bounds = threat.bounds
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": asked.command,
        "seed": asked.random_state,
        "versions": versions(),
        "model": {
            "name": _name(model, asked),
            "source": asked.source,
            "differentiable": model.differentiable,
        },
        "data": {
            "title": asked.title or "the given samples",
            "sha256": hash_samples(X, codes, [str(label) for label in model.classes_]),
            "n_samples": len(X),
            "sample_shape": list(X.shape[1:]),
            "range": [float(X.min()), float(X.max())],
            "classes": classes,
        },
        "threat": {
            "norm": threat.norm,
            "eps": np.asarray(threat.eps).tolist(),
            "bounds": None if bounds is None else [np.asarray(side).tolist() for side in bounds],
            "mask": _flags(threat.mask),
            "integer": _flags(threat.integer),
        },
        "attack": "",
        "accuracy": {
            "clean": numbers["clean"],
            "attacked": numbers["worst_case"],
            "attacked_interval": list(numbers["interval"]),
            "certified": certified,
            "certified_interval": sides,
            "by_attack": numbers["attacks"],
            "per_class": [
                {"label": classes[code], **row}
                for code, row in zip(
                    np.unique(codes).tolist(), numbers["per_class"].values(), strict=True
                )
            ],
        },
        "samples": {
            "clean": pack(masks["clean"]),
            "attacked": pack(masks["worst_case"]),
            "certified": None if proven is None else pack(proven),
        },
        "verdict": {"trusted": numbers["trusted"], "signs": numbers["warnings"]},
    }


def _name(model: Model, asked: Audit) -> str:
    """Name of the model to show: of a bare module that of its file."""
    bare = not isinstance(model.estimator, BaseEstimator)
    return Path(asked.source).name if bare and asked.source else model.name


def _flags(features: Any) -> list[Any] | None:
    return None if features is None else np.asarray(features).tolist()
