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

from .. import _validation as check
from .._threat_model import ThreatModel
from ..attacks import BaseAttack, WorstCase
from ..attacks._evaluation import open_samples, params_of, robust_mask
from ..differentiable import Model, open_model
from ..differentiable._state import records
from ..exceptions import BlackBoxWarning, NotDifferentiableError, ZeroGradientWarning
from ..metrics import input_jacobian
from ..metrics._assert_robust import attack_for
from ..metrics._report import measure, wilson_interval
from ..metrics._suggest_eps import EpsMeaning, describe_eps
from ..plotting._style import typed_radius
from ._audit_report import AuditReport
from ._evidence import SCHEMA, VERSION, hash_samples, pack, versions
from ._given import check_radius, column_names, labels_for, meaning_of, shaped_for

__all__ = ["Audit", "run_audit"]

_FACTORS = (0.25, 0.5, 1.0, 1.5, 2.0)  # multiples of eps on the curve
_FACTORS_BLACK_BOX = (0.5, 1.0, 2.0)
_N_JACOBIANS = 200
_SAMPLES = {"clean": "clean", "attacked": "worst_case", "certified": "certified"}  # names of masks

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
    names = asked.feature_names or column_names(asked.X)
    X_given = shaped_for(model, asked.X)
    y, class_names = labels_for(model, asked.y, asked.class_names)
    check.check_labels(y)
    X, codes = open_samples(model, X_given, y)
    meaning = meaning_of(asked.eps, asked.norm, model, X, codes)
    threat = {"eps": meaning.eps, "norm": meaning.norm, "bounds": asked.bounds}
    check_radius(threat, X)
    main = attack_for(model, asked.attack, **threat, mask=asked.mask, integer=asked.integer)
    main.set_params(random_state=asked.random_state)
    main = main.on_columns(model)
    main.check_parameters()
    with warnings.catch_warnings():  # the page has its own words for them
        warnings.simplefilter("ignore", ZeroGradientWarning)
        warnings.simplefilter("ignore", BlackBoxWarning)
        numbers, masks = measure(model, X, codes, main, main, asked.n_jobs)
        checked = main.threat_model.on(X)
        curve = _curve(model, X, codes, main, masks, asked)
    shown = class_names or [str(label) for label in model.classes_]
    plain = _evidence(asked, model, X, codes, numbers, masks, checked, shown)
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


def _typed_eps(asked: Audit, meaning: EpsMeaning, X: NDArray[np.float32]) -> dict[str, Any]:
    """How to type the radius again: on the command line, in Python, and how to show it."""
    eps = meaning.eps
    if isinstance(asked.eps, str):
        return {
            "eps": asked.eps,
            "eps_python": repr(asked.eps),
            "shown_eps": _shown_share(asked.eps, eps),
        }
    if np.ndim(eps) == 0:
        text = typed_radius(float(eps))
        return {"eps": text, "eps_python": text, "shown_eps": text}
    if asked.eps is None:
        factor = float(np.max(meaning.share[np.isfinite(meaning.share)]))
        text = f"{100 * factor:.4g}%"
        if asked.norm == "linf":
            shown = _shown_share(text, eps)
            return {"eps": text, "eps_python": repr(text), "shown_eps": shown}
    python = "eps" if asked.eps is not None else "suggest_eps(X, y, norm=...).eps"
    return {"eps": None, "eps_python": python, "shown_eps": describe_eps(eps)}


def _shown_share(text: str, eps: Any) -> str:
    moving = np.asarray(eps)[np.asarray(eps) > 0]
    return f"{text.strip()} of each feature's standard deviation: {describe_eps(moving)}"


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
    threat: ThreatModel,
    classes: list[str],
) -> dict[str, Any]:
    """Plain data of the audit."""
    labels = [str(label) for label in model.classes_]
    samples = {name: masks.get(key) for name, key in _SAMPLES.items()}
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
            "sha256": hash_samples(X, codes, labels),
            "n_samples": len(X),
            "sample_shape": list(X.shape[1:]),
            "range": [float(X.min()), float(X.max())],
            "classes": classes,
        },
        "threat": _plain_threat(threat),
        "attack": "",
        "accuracy": _accuracies(numbers, masks.get("certified"), codes, classes),
        "samples": {name: None if mask is None else pack(mask) for name, mask in samples.items()},
        "verdict": {"trusted": numbers["trusted"], "signs": numbers["warnings"]},
    }


def _plain_threat(threat: ThreatModel) -> dict[str, Any]:
    bounds = threat.bounds
    return {
        "norm": threat.norm,
        "eps": np.asarray(threat.eps).tolist(),
        "bounds": None if bounds is None else [np.asarray(side).tolist() for side in bounds],
        "mask": _flags(threat.mask),
        "integer": _flags(threat.integer),
    }


def _accuracies(
    numbers: dict[str, Any], proven: Mask | None, codes: NDArray[np.int64], classes: list[str]
) -> dict[str, Any]:
    """Both sides of the accuracy, and those of each attack and class."""
    sides = None if proven is None else list(wilson_interval(int(proven.sum()), len(proven)))
    rows = zip(np.unique(codes).tolist(), numbers["per_class"].values(), strict=True)
    return {
        "clean": numbers["clean"],
        "attacked": numbers["worst_case"],
        "attacked_interval": list(numbers["interval"]),
        "certified": None if proven is None else float(proven.mean()),
        "certified_interval": sides,
        "by_attack": numbers["attacks"],
        "per_class": [{"label": classes[code], **row} for code, row in rows],
    }


def _name(model: Model, asked: Audit) -> str:
    """Name of the model to show: of a bare module that of its file."""
    bare = not isinstance(model.estimator, BaseEstimator)
    return Path(asked.source).name if bare and asked.source else model.name


def _flags(features: Any) -> list[Any] | None:
    return None if features is None else np.asarray(features).tolist()
