"""Words of the command line: their types, and options that several commands share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

__all__ = [
    "Parser",
    "add_data",
    "add_run",
    "add_trust",
    "count",
    "flat",
    "jobs",
    "listed",
    "radius",
    "radius_or_share",
    "seed",
    "share",
]


class Parser(argparse.ArgumentParser):
    """Parser that reports a mistake in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the mistake and exit."""
        self.exit(2, f"{self.prog}: {message}\n")


def radius(text: str) -> float:
    """Positive finite number, such as 0.1 or 8/255."""
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a strength; give a positive number such as 0.1 or 8/255."
        )
    return value


def count(text: str) -> int:
    """Positive integer."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; give a whole number from 1.")
    return int(text)


def seed(text: str) -> int:
    """Integer from 0 to 2**32 - 1."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; give a whole number from 0.")
    return int(text)


def jobs(text: str) -> int:
    """Integer other than zero."""
    if not text.removeprefix("-").isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of processes; give one such as 2, or -1 for one per core."
        )
    return int(text)


def listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """List of values of one kind, separated by commas."""
    return lambda text: [kind(word) for word in text.split(",") if word]


def flat(lists: list[list[Any]] | None) -> tuple[Any, ...] | None:
    """One tuple of the values of several lists, or None."""
    return None if lists is None else tuple(item for part in lists for item in part)


def radius_or_share(text: str) -> float | str:
    """Radius, or a share of each feature's standard deviation such as 5%."""
    if not text.endswith("%"):
        return radius(text)
    try:
        value = float(text[:-1])
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a strength; give a positive number such as 0.1, 8/255 or 5%."
        )
    return text


def share(text: str) -> float:
    """Share from 0 to 1, such as 0.6 or 60%."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share; give a number from 0 to 1, such as 0.6, or 60%."
        )
    return value


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the option that allows files which may run code."""
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="also read a pickle, joblib or torch.export file, which may run any code in it",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the model and data that an audit or a check is about."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="fitted model: a .net or .skops file, TorchScript, torch.export (.pt2), joblib or "
        "pickle, or mine.py:function",
    )
    parser.add_argument(
        "--data",
        required=True,
        metavar="FILE",
        help="samples: a .npz, .csv or .parquet file, a folder with one folder of images for each "
        "class, mine.py:function, or digits|moons|mnist|cifar10",
    )
    parser.add_argument("--target", metavar="NAME", help="column of the labels in a table")
    parser.add_argument(
        "--image-size", type=count, metavar="N", help="height and width to resize images to"
    )
    add_trust(parser)


def add_run(parser: argparse.ArgumentParser, default_samples: int) -> None:
    """Add how many samples to attack, and on what machine."""
    parser.add_argument(
        "--samples",
        type=count,
        default=default_samples,
        metavar="N",
        help="largest number of samples to attack (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, help="seed of all random choices (default: 0)"
    )
    parser.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu or cuda"
    )
    parser.add_argument("--data-home", metavar="FOLDER", help="folder of downloaded data")
