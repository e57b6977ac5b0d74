"""How numbers read in a report."""

from ...plotting._style import line_style, shown_radius
from .._settings import net_number

__all__ = ["CERTAIN", "count", "look", "percent", "strength"]


CERTAIN = "95\N{NO-BREAK SPACE}%"  # of the intervals


def percent(share, unit="\N{NO-BREAK SPACE}%"):
    """Share as a percentage with one decimal, or a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f}{unit}"


def count(n, word):
    """Write a number with its noun, in words where it is small."""
    small = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    text = small[n] if n < len(small) else f"{n:,}"
    return f"{text} {word}{'' if n == 1 else 's'}"


def strength(eps):
    """Strength of an attack in words."""
    return f"eps\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{shown_radius(eps)}"


def look(name):
    """Colour and marker of a net."""
    return line_style(net_number(name))
