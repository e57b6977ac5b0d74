"""The command ``sklearn-robust``: one file for each of its commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .._version import __version__
from ._arguments import Parser
from ._audit import add_audit
from ._check import add_check
from ._compare import add_compare, how_to_go_on
from ._evaluate import add_evaluate

__all__ = ["main"]

_EPILOG = """examples:
  sklearn-robust audit model.skops --data test.csv --eps 5%
  sklearn-robust audit mine.py:model --data photos/ --eps 8/255
  sklearn-robust check model.net --data test.npz --eps 0.05 --at-least 0.6
  sklearn-robust compare --data digits
  sklearn-robust compare --data mydata.npz --nets NaturalNet,MinMaxNet --eps 2/255 4/255 8/255
  sklearn-robust compare --data digits --models forest.skops --nets MinMaxNet
  sklearn-robust evaluate report/nets/MinMaxNet.net --data digits --eps 0.1
"""


def _make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="sklearn-robust",
        description="Find out how robust a classifier is, and what to do about it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sklearn_robust {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="audit | check | compare | evaluate", required=True
    )
    for add in (add_audit, add_check, add_compare, add_evaluate):
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the command line.

    Returns
    -------
    code : int
        0 on success, 1 if a net failed or a check did not pass, 2 for arguments that make no
        sense, 130 after a keyboard interrupt.
    """
    from ..report import BadInput

    args = _make_parser().parse_args(argv)
    args.typed = ["sklearn-robust", *(sys.argv[1:] if argv is None else argv)]
    try:
        return args.run(args)
    except BadInput as error:
        print(f"sklearn-robust {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        said = how_to_go_on(args) if args.command == "compare" else "interrupted."
        print(said, file=sys.stderr)
        return 130
