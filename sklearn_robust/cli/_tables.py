"""Tables of results as text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["in_words", "percent", "table"]


def percent(share: float | None) -> str:
    """Share as a percentage without its sign, or a dash where there is none."""
    return "-" if share is None else f"{100 * share:.1f}"


def in_words(lower: float | None, upper: float | None) -> str:
    """Both sides of an accuracy in words, or a dash where one is not known."""
    from ..metrics._report_text import verdict_of

    return "-" if lower is None or upper is None else verdict_of(lower, upper)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words as lines of text, with the first column aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            word.rjust(width) if place else word.ljust(width)
            for place, (word, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
