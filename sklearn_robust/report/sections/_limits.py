"""What these numbers are not, and how to find them again."""

from .._attack import WORST
from .._blocks import Code, Points, Section, Text
from .._results import interval
from ._words import CERTAIN, percent

__all__ = ["limits"]

_KNOWN = {
    "AdvTrainNet": "AdvTrainNet trains on one-step examples. Such nets may learn to defeat that "
    "one step alone (catastrophic overfitting): trust no FGSM column for it.",
    "GAIRATNet": "GAIRATNet's advantage is known to vanish under margin and logit-scaled attacks "
    "and AutoAttack, as its authors say: BIM and PGD on cross-entropy flatter it.",
    "MARTNet": "MARTNet is known to lose much of its advantage under AutoAttack.",
    "JacobianRegNet": "JacobianRegNet makes the decision function flat close to the data. It never "
    "sees an adversarial example, and its defence fades where the function bends.",
}


def limits(results):
    """Honest limits, and the command."""
    about = results["about"]
    machine = (
        f"sklearn_robust {about['sklearn_robust']}, torch {about['torch']}, scikit-learn "
        f"{about['scikit-learn']}, Python {about['python']}; {about['device']}, {about['cores']} "
        f"cores; {about['seconds']:.0f} s in all. The same command gives the same numbers on the "
        "same machine; on another the last digits may differ, and with them a few samples."
    )
    nets = [name for name in results.trained if "file" in results["nets"][name]]
    again = f"sklearn-robust evaluate nets/{nets[0]}.net --data {results['settings']['data']}"
    return Section(
        "limits",
        "Limits, and how to repeat this",
        [
            Points([*_unfinished(results), *_general(results), *_known(results)]),
            Text("This command repeats the whole comparison:"),
            Code(about["command"]),
            Text("The nets are saved beside this page. To attack one of them again:"),
            Code(again),
            Text(machine),
            Text(
                "The numbers of this page are in `results.json` and `results.csv`, the arrays "
                "behind its pictures in `arrays.npz`, the figures in `figures/`."
            ),
        ],
    )


def _unfinished(results):
    nets = results["nets"]
    failed = [f"{name} is missing: {net['failed']}" for name, net in nets.items() if net["failed"]]
    if not results["interrupted"]:
        return failed
    asked = results["settings"]["nets"]
    done = [name for name in results.attacked if not nets[name]["interrupted"]]
    missing = ", ".join(name for name in asked if name not in done) or "the examples"
    return [f"**This comparison was interrupted.** Unfinished: {missing}.", *failed]


def _general(results):
    n, data = results["data"]["n_test"], results["data"]
    low, high = interval(0.5, n)
    box = "0 to 1" if data["bounds"] else "any value"
    return [
        f"A finite attack finds an **upper bound**: true robust accuracy is at most the {WORST}, "
        "and a stronger attack may lower it.",
        f"{n:,} test samples: chance alone moves an accuracy near one half by up to "
        f"{percent((high - low) / 2, '')} points ({CERTAIN}). One split, one seed "
        f"({results['settings']['seed']}): the chance of training itself is not in that; repeat "
        "with other seeds before you believe small differences.",
        f"One threat: every value of a sample changes by at most eps ({results['norm']}) within "
        f"{box}. Rotations, blur, patches and l2 attacks were not tried.",
        f"Data: {data['title']}, {data['n_train']:,} training samples of shape "
        f"{tuple(data['sample_shape'])}, {len(data['classes'])} classes. What holds here may not "
        "hold elsewhere.",
        "Every net has its default settings"
        + (
            "."
            if results["settings"]["epochs"] is None
            else f" but for {results['settings']['epochs']} epochs."
        )
        + " None was tuned for these data; better parameters may change the order.",
    ]


def _known(results):
    return [_KNOWN[name] for name in results.trained if name in _KNOWN]
