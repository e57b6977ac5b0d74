"""Limits of the numbers, and commands that reproduce them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ...plotting._style import typed_radius
from .._attack import WORST
from .._blocks import Code, Points, Section, Text
from .._results import Results, interval
from ._format import CERTAIN, count, percent, strength

__all__ = ["limits"]

_KNOWN = {
    "AdvTrainNet": "AdvTrainNet trains on one-step examples. Such nets may learn to resist only "
    "that one step (catastrophic overfitting), so do not trust its FGSM column.",
    "GAIRATNet": "GAIRATNet's advantage is known to vanish under margin and logit-scaled attacks "
    "and AutoAttack, as its authors say; BIM and PGD on cross-entropy overstate its robustness.",
    "MARTNet": "MARTNet is known to lose much of its advantage under AutoAttack.",
    "JacobianRegNet": "JacobianRegNet makes the decision function flat close to the data. It never "
    "sees an adversarial example, and its defence fades where the function bends.",
}


def limits(results: Results) -> Section | None:
    """Section with the limits of the comparison, and the commands that repeat it."""
    about = results["about"]
    machine = (
        f"sklearn_robust {about['sklearn_robust']}, torch {about['torch']}, scikit-learn "
        f"{about['scikit-learn']}, Python {about['python']}; {about['device']}, "
        f"{count(about['cores'], 'core')}, {count(about['processes'], 'net')} at a time with "
        f"{count(about['threads'], 'thread')} each; {about['seconds']:.0f} s in all. The same "
        "command gives the same numbers on the same machine; another machine or number of threads "
        "may change the last digits of floats, and with them the class of a few samples."
    )
    return Section(
        "limits",
        "Limits, and how to repeat this",
        [
            Points([*_unfinished(results), *_general(results), *_known(results)]),
            Text("This command repeats the whole comparison:"),
            Code(about["command"]),
            *_again(results),
            Text(machine),
            Text(
                "The numbers of this page are in `results.json` and `results.csv`, the arrays "
                "behind its pictures in `arrays.npz`, the figures in `figures/`."
            ),
        ],
    )


def _again(results: Results) -> list[Any]:
    """How to attack the first net again, or the first model that has a gradient."""
    if results.trained:
        text = "The nets are saved beside this page. To attack one of them again:"
    elif results.white_box:
        text = "To attack one of the models again:"
    else:
        return []
    return [Text(text), Code(_evaluation(results))]


def _evaluation(results: Results) -> str:
    """Command that attacks the first net of the ranking, or of the report."""
    asked, summary = results["settings"], results["summary"]
    ranking = [*(summary["ranking"] if summary else ()), *results.judged]
    name = next(name for name in ranking if name in (results.trained or results.white_box))
    net = results["nets"][name]
    words = ["sklearn-robust", "evaluate", net.get("file") or net["source"]]
    words += ["--data", asked["data"]]
    words += ["--trust-pickle"] if "source" in net and asked.get("trust_pickle") else []
    words += ["--eps", *map(typed_radius, results["eps"]), "--seed", str(asked["seed"])]
    for option in ("samples", "data_home"):
        if asked.get(option) is not None:
            words += [f"--{option.replace('_', '-')}", str(asked[option])]
    return shlex.join(words)


def _unfinished(results: Results) -> list[str]:
    nets = results["nets"]
    failed = [f"{name} is missing: {net['failed']}" for name, net in nets.items() if net["failed"]]
    if not results["interrupted"]:
        return failed
    asked = [*results["settings"]["nets"], *map(_name, results["settings"].get("models", ()))]
    done = [name for name in results.attacked if not nets[name]["interrupted"]]
    missing = ", ".join(name for name in asked if name not in done) or "the examples"
    return [
        f"**This comparison was interrupted.** Unfinished: {missing}. The same command "
        "with `--resume` and the same `--output` goes on from here.",
        *failed,
    ]


def _name(spec: str) -> str:
    return Path(spec).name


def _general(results: Results) -> list[str]:
    n, data = results["data"]["n_test"], results["data"]
    low, high = interval(0.5, n)
    box = "0 to 1" if data["bounds"] else "any value"
    return [
        f"A finite attack finds an **upper bound**: true robust accuracy is at most the {WORST}, "
        "and a stronger attack may lower it.",
        f"{n:,} test samples: chance alone moves an accuracy near one half by up to "
        f"{percent((high - low) / 2, '')} points ({CERTAIN}). One split, one seed "
        f"({results['settings']['seed']}): the randomness of training is not included; repeat "
        "with other seeds before you believe small differences.",
        f"One threat: every value of a sample changes by at most eps ({results['norm']}) within "
        f"{box}. Rotations, blur, patches and l2 attacks were not tried.",
        f"Data: {data['title']}, {data['n_train']:,} training samples of shape "
        f"{tuple(data['sample_shape'])}, {len(data['classes'])} classes. What holds here may not "
        "hold elsewhere.",
        _defaults(results),
    ]


def _defaults(results: Results) -> str:
    epochs, names = results["settings"]["epochs"], results.trained
    if not names:
        return "The models are as they were given; nothing was trained here."
    adversarial = [name for name in names if "attack__eps" in results["nets"][name]["params"]]
    changes = [] if epochs is None else [f"all train for {count(epochs, 'epoch')}"]
    if adversarial:
        attacked = f"the training attack of {', '.join(adversarial)}"
        changes.append(f"{attacked} has {strength(results['train_eps'])}")
    exceptions = f", except that {' and '.join(changes)}" if changes else ""
    return (
        f"The nets have their default settings{exceptions}. No parameter was tuned for these data; "
        "better parameters may change the order."
    )


def _known(results: Results) -> list[str]:
    return [_KNOWN[name] for name in results.trained if name in _KNOWN]
