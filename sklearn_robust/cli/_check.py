"""The command ``sklearn-robust check``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ._arguments import add_data, add_run, share
from ._audit import add_threat, prepare

__all__ = ["add_check"]


def add_check(commands: Any) -> None:
    """Add the command."""
    text = "Exit with 1 unless a model is robust enough, for a build."
    parser = commands.add_parser("check", help=text, description=text)
    add_data(parser)
    add_threat(parser, required=True)
    add_run(parser, 1000)
    parser.add_argument(
        "--at-least",
        type=share,
        metavar="SHARE",
        help="robust accuracy that is asked for, from 0 to 1",
    )
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        help="evidence of an earlier check on the same data, by --json: fail if fewer samples are "
        "robust than then, by McNemar's test",
    )
    parser.add_argument(
        "--alpha",
        type=share,
        default=0.05,
        metavar="SHARE",
        help="share of false alarms of that test (default: 0.05)",
    )
    parser.add_argument(
        "--by",
        choices=["attacked", "certified"],
        default="attacked",
        help="number to judge: under attack, or proven (default: attacked)",
    )
    parser.add_argument(
        "--allow-black-box",
        action="store_true",
        help="accept the upper bound of a model without a gradient, such as a forest",
    )
    _add_files(parser)
    parser.set_defaults(run=_check)


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Add the files to write."""
    parser.add_argument("--json", metavar="FILE", help="file to write the evidence to")
    parser.add_argument(
        "--junit", metavar="FILE", help="file to write the outcome to, as JUnit XML"
    )


def _check(args: argparse.Namespace) -> int:
    from ..exceptions import NotDifferentiableError
    from ..report._audit import run_audit
    from ..report._evidence import read_evidence
    from ..report._gate import compare_evidence, judge, write_junit
    from ..report._settings import BadInput, blame_input

    if args.at_least is None and args.baseline is None:
        raise BadInput("give --at-least, such as --at-least 0.6, or --baseline, or both.")
    baseline = None if args.baseline is None else read_evidence(args.baseline)
    asked = prepare(args, "check")
    asked.curve = False
    with blame_input(ValueError, NotDifferentiableError):
        report = run_audit(asked)
    with blame_input(OSError):
        if args.json:
            report.to_json(args.json)
        if baseline is not None:
            compare_evidence(baseline, report.plain, args.baseline)
        outcome = judge(
            report.plain,
            at_least=args.at_least,
            baseline=baseline,
            by=args.by,
            alpha=args.alpha,
            allow_black_box=args.allow_black_box,
        )
        if args.junit:
            write_junit(outcome, Path(args.junit))
    print(report)
    for check in outcome:
        print(f"{'passed' if check.passed else 'FAILED'}: {check.name}: {check.said}")
    return 0 if all(check.passed for check in outcome) else 1
