"""The command ``sklearn-robust audit``."""

from __future__ import annotations

import argparse
import shlex
import warnings
from typing import TYPE_CHECKING, Any

from ._arguments import add_data, add_run, radius_or_share

if TYPE_CHECKING:
    from ..report._audit import Audit

__all__ = ["add_audit", "add_threat", "prepare"]

_REPEATED = (
    "norm",
    "attack",
    "target",
    "image_size",
    "trust_pickle",
    "samples",
    "seed",
    "data_home",
)


def add_threat(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the strength of the attack and the attack."""
    default = "" if required else " (default: one that suits the data)"
    parser.add_argument(
        "--eps",
        type=radius_or_share,
        required=required,
        metavar="EPS",
        help="greatest change of a value, such as 0.1 or 8/255 in the units of the data (pixels "
        f"go from 0 to 1), or 5%% of each feature's standard deviation{default}",
    )
    parser.add_argument(
        "--norm", choices=["linf", "l2", "l1"], default="linf", help="norm (default: linf)"
    )
    parser.add_argument(
        "--attack",
        choices=["autoattack", "autoattack-rand", "square"],
        help="attack to run (default: PGD on three losses, or a search by scores where there is "
        "no gradient)",
    )


def add_audit(commands: Any) -> None:
    """Add the command."""
    text = "Judge one fitted model, and write a page that says what to do next."
    parser = commands.add_parser("audit", help=text, description=text)
    add_data(parser)
    add_threat(parser, required=False)
    add_run(parser, 1000)
    parser.add_argument(
        "--output", default="report", metavar="FOLDER", help="folder to write (default: report)"
    )
    parser.add_argument("--quiet", action="store_true", help="print only errors")
    parser.set_defaults(run=_audit)


def prepare(args: argparse.Namespace, name: str) -> Audit:
    """Load the model and the samples, and say what to judge.

    Parameters
    ----------
    args : namespace
        Arguments of ``audit`` or ``check``.
    name : str
        Name of the command.

    Returns
    -------
    asked : Audit
        For ``run_audit``.
    """
    from ..nets._engine.device import resolve_device
    from ..report._audit import Audit
    from ..report._models import load_model
    from ..report._samples import load_samples
    from ..report._settings import blame_input

    with blame_input(ValueError):
        resolve_device(args.device)
    model = load_model(args.model, trust_pickle=args.trust_pickle, device=args.device)
    data = load_samples(
        args.data,
        target=args.target,
        columns=getattr(model, "feature_names_in_", None),
        image_size=args.image_size,
        samples=args.samples,
        seed=args.seed,
        data_home=args.data_home,
    )
    options = _options(args)
    return Audit(
        model,
        data.X,
        data.y,
        eps=args.eps,
        norm=args.norm,
        attack=_attack(args.attack),
        class_names=data.class_names,
        random_state=args.seed,
        source=args.model,
        title=data.title,
        command=_command(args, name, options),
        typed={
            "model": args.model,
            "data": args.data,
            "options": options,
            "suggested": args.eps is None,
        },
    )


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """Options to type again: all that are not at their defaults."""
    options = {option: vars(args)[option] for option in _REPEATED}
    return {
        option: value
        for option, value in options.items()
        if value not in (None, False) and (option, value) not in (("norm", "linf"), ("seed", 0))
    }


def _command(args: argparse.Namespace, name: str, options: dict[str, Any]) -> str:
    """Command line that repeats an audit or a check."""
    words = ["sklearn-robust", name, args.model, "--data", args.data]
    if args.eps is not None:
        words += ["--eps", _typed(args.eps)]
    for option, value in options.items():
        words.append(f"--{option.replace('_', '-')}")
        words += [] if value is True else [str(value)]
    return shlex.join(words)


def _typed(eps: float | str) -> str:
    from ..plotting._style import typed_radius

    return eps if isinstance(eps, str) else typed_radius(eps)


def _attack(choice: str | None) -> Any:
    from ..attacks import AutoAttack, Square

    if choice is None:
        return None
    if choice == "square":
        return Square(max_iter=5000, n_restarts=2)
    return AutoAttack(version="rand" if choice.endswith("rand") else "standard")


def _audit(args: argparse.Namespace) -> int:
    from ..exceptions import NotDifferentiableError
    from ..report._audit import run_audit
    from ..report._robustness_page import open_output, write_audit
    from ..report._settings import blame_input

    folder = open_output(args.output)
    asked = prepare(args, "audit")
    with blame_input(ValueError, NotDifferentiableError), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        report = run_audit(asked)
    write_audit(report, folder)
    if not args.quiet:
        print(report)
        print(f"Open {report.page} in a browser: it says what to do next.")
    return 0
