"""What an audit found."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..metrics._suggest_eps import EpsMeaning

__all__ = ["AuditReport"]


@dataclass
class AuditReport:
    """Everything that was found about one model, as plain data.

    Attributes
    ----------
    plain : dict
        The evidence, as ``to_json`` writes it.
    meaning : EpsMeaning
        What eps means in the units of the data.
    curve : dict
        "factors" (multiples of eps), "attacked" and "certified" (accuracies, or None).
    sensitivity : array of a sample's shape, or None
        Mean change of the margin, to first order, when one feature moves by eps.
    typed : dict
        How to type the model, the data, eps and so on again.
    page : Path or None
        Page that was written.
    """

    plain: dict[str, Any]
    meaning: EpsMeaning
    curve: dict[str, Any]
    sensitivity: NDArray[Any] | None
    feature_names: list[str] | None
    kinds: dict[str, str]
    typed: dict[str, Any] = field(default_factory=dict)
    page: Path | None = None

    def __repr__(self) -> str:
        """Say the answer in two lines."""
        found = self.plain["accuracy"]
        low, high = found["attacked_interval"]
        verdict = "no sign of gradient masking"
        if not self.trusted:
            verdict = "do not trust this number: " + ", ".join(self.plain["verdict"]["signs"])
        lines = [
            f"{self.plain['model']['name']}: robust accuracy at most {found['attacked']:.1%} "
            f"(95 % interval {low:.1%} to {high:.1%}) at {self.eps_text}, clean accuracy "
            f"{found['clean']:.1%}, {self.plain['data']['n_samples']:,} samples",
            verdict,
        ]
        return "\n".join([*lines, *([f"page: {self.page}"] if self.page else [])])

    @property
    def trusted(self) -> bool:
        """Whether no sign of gradient masking was found."""
        return self.plain["verdict"]["trusted"]

    @property
    def eps_text(self) -> str:
        """The radius with its norm, in words."""
        threat = self.plain["threat"]
        return f"eps = {self.typed['shown_eps']} ({threat['norm']})"

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the evidence as JSON, and write it to a file if one is named.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write.

        Returns
        -------
        text : str
            JSON of schema "sklearn_robust.evidence", version 1. Another process that repeats the
            audit gets the same digits; only "made", the time, differs.
        """
        text = json.dumps(self.plain, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def model_card(self) -> str:
        """Return a section on robustness for a model card, as Markdown.

        Returns
        -------
        text : str
            Result, threat model, verdict, data and versions, with the command that repeats it.
        """
        from ._model_card import model_card

        return model_card(self)
