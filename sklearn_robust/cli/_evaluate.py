"""The command ``sklearn-robust evaluate``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ._arguments import add_run, add_trust, flat
from ._compare import add_named_data
from ._tables import percent, table

__all__ = ["add_evaluate"]


def add_evaluate(commands: Any) -> None:
    """Add the command."""
    text = "Attack a saved net."
    parser = commands.add_parser("evaluate", help=text, description=text)
    parser.add_argument("net", metavar="NET", help="file written by net.save")
    add_named_data(parser)
    add_run(parser, 1000)
    parser.add_argument(
        "--attack",
        choices=["worst", "pgd", "fgsm", "bim", "cw", "autoattack"],
        default="worst",
        help="attack to run (default: worst, the worst case of several attacks)",
    )
    parser.add_argument(
        "--certify",
        action="store_true",
        help="prove a lower bound for any classifier, and not only where that is cheap: about a "
        "second for each sample and strength of a net",
    )
    add_trust(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    from ..report import evaluate

    result = evaluate(
        args.net,
        args.data,
        eps=flat(args.eps),
        attack=args.attack,
        certify=args.certify,
        trust_pickle=args.trust_pickle,
        device=args.device,
        seed=args.seed,
        samples=args.samples,
        data_home=args.data_home,
    )
    print(json.dumps(result, indent=1) if args.json else _table_of(result))
    return 0


def _table_of(result: dict[str, Any]) -> str:
    from ..plotting._style import shown_radius

    attacks, sides = list(result["accuracy"]), result["certified"] is not None
    rows = [["accuracy (%)", *attacks], ["natural", *[percent(result["natural"])] * len(attacks)]]
    if sides:
        rows = [[*rows[0], "certified", "so it is"], [*rows[1], percent(result["natural"]), "-"]]
    for place, eps in enumerate(result["eps"]):
        shares = [result["accuracy"][attack][place] for attack in attacks]
        rows.append([f"eps={shown_radius(eps)}", *map(percent, shares)])
        if sides:
            rows[-1] += [percent(result["certified"][place]), result["verdict"][place]]
    about = f"{result['net']}, {result['n_samples']} test samples of {result['data']}"
    return f"{about}, {result['norm']}\n{table(rows)}"
