"""The page of an audit."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from .. import _validation as check
from ..attacks import BaseAttack
from ._audit import Audit, run_audit
from ._audit_report import AuditReport
from ._page import compose_page
from ._settings import BadInput
from .audit_sections import AUDIT_SECTIONS

__all__ = ["open_output", "robustness_page", "write_audit"]


def robustness_page(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: Any = None,
    norm: str | float = "linf",
    bounds: Any = "auto",
    mask: Any = None,
    integer: Any = None,
    attack: BaseAttack | None = None,
    class_names: list[str] | None = None,
    feature_names: list[str] | None = None,
    title: str | None = None,
    output: str | PathLike[str] | None = "report",
    random_state: int = 0,
    n_jobs: int | None = None,
) -> AuditReport:
    """Judge the robustness of a fitted classifier, and write a page that says what to do next.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to judge.
    X : array-like of shape (n_samples, ...)
        Clean samples, best ones that were not trained on.
    y : array-like of shape (n_samples,)
        True labels.
    eps : float, array of the samples' shape, or str, default=None
        Radius in the units of X, or a share of each feature's standard deviation, such as "5%".
        None takes that of :func:`~sklearn_robust.metrics.suggest_eps`, and the page says so.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data. "auto" is (0, 1) if all of X lies inside it, else no box.
    mask : bool array of the samples' shape or indices, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    attack : attack, default=None
        Its eps, norm and bounds are set here. None means PGD with 40 steps on three losses, or
        Square where no gradient reaches the input.
    class_names : list of str, default=None
        Names of the classes, in the order of the labels.
    feature_names : list of str, default=None
        Names of the features; those of a frame are known.
    title : str, default=None
        Name of the data in a few words.
    output : str or path-like, default="report"
        Folder to write ``index.html``, ``evidence.json``, ``model_card.md`` and ``figures`` to;
        None writes nothing.
    random_state : int, default=0
        Seed of the attacks.
    n_jobs : int, default=None
        Processes that share the samples.

    Returns
    -------
    report : AuditReport
        It prints as the answer, and has ``to_json(path)`` (evidence that another person can
        repeat to the same digits), ``model_card()`` (Markdown), ``plain`` (the numbers) and
        ``page`` (path of the page).

    Raises
    ------
    ValueError
        If eps holds the whole box, or the data do not fit the estimator.

    See Also
    --------
    sklearn_robust.metrics.robustness_report : The numbers as text.
    sklearn_robust.metrics.assert_robust : A demand on them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.report import robustness_page
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> robustness_page(model, X, y, eps=0.2, output=None)
    LogisticRegression: robust accuracy at most 86.7% (95 % interval 80.3% to 91.2%) at eps = 0.2
    (linf), clean accuracy 97.3%, 150 samples
    no sign of gradient masking
    """
    check.check_seed("random_state", random_state)
    folder = None if output is None else open_output(output)
    asked = Audit(
        estimator,
        X,
        y,
        eps=eps,
        norm=norm,
        bounds=bounds,
        mask=mask,
        integer=integer,
        attack=attack,
        class_names=class_names,
        feature_names=feature_names,
        title=title,
        random_state=random_state,
        n_jobs=n_jobs,
        curve=output is not None,
        typed={"suggested": eps is None},
    )
    report = run_audit(asked)
    return report if folder is None else write_audit(report, folder)


def open_output(path: str | PathLike[str]) -> Path:
    """Make the folder of a page.

    Parameters
    ----------
    path : str or path-like
        Path of the folder.

    Returns
    -------
    folder : pathlib.Path
        Folder that can be written to.

    Raises
    ------
    BadInput
        If it cannot be made, or holds an index.html of something else.
    """
    folder = Path(path).expanduser()
    if (folder / "index.html").exists() and not (folder / "evidence.json").exists():
        raise BadInput(
            f"{folder} has an index.html that is not of an audit; give another folder as --output."
        )
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        probe = folder / "evidence.json.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"cannot write to {folder} ({error.strerror}); give another folder as --output."
        ) from error
    return folder


def write_audit(report: AuditReport, folder: Path) -> AuditReport:
    """Write the evidence, the model card and the page.

    Parameters
    ----------
    report : AuditReport
        What was found.
    folder : pathlib.Path
        Folder as of :func:`open_output`.

    Returns
    -------
    report : AuditReport
        The same, with the path of its page.
    """
    report.to_json(folder / "evidence.json")
    (folder / "model_card.md").write_text(report.model_card(), encoding="utf-8")
    plain = report.plain
    title = f"Robustness of {plain['model']['name']} on {plain['data']['title']}"
    sections = [make(report) for make in AUDIT_SECTIONS]
    version, made = plain["versions"]["sklearn_robust"], plain["made"][:10]
    report.page = compose_page(title, sections, folder, version, made)
    return report
