"""The results, data and nets of a report, and results made by hand."""

from sklearn_robust import load_net
from sklearn_robust.report._data import load_data
from sklearn_robust.report._results import Results


def open_report(report):
    """Results of a report, its data and its nets."""
    results, folder = report
    asked = results["settings"]
    data = load_data(asked["data"], samples=asked["samples"], train_samples=asked["train_samples"])
    nets = {name: load_net(folder / results["nets"][name]["file"]) for name in results.attacked}
    return results, data, nets


def small(names=("A", "B", "C"), worst=(0.1, 0.5, 0.9)):
    """Results of nets with these accuracies in the worst case."""
    nets = {
        name: {"natural": 1.0, "attacks": {"worst case": [share]}}
        for name, share in zip(names, worst, strict=True)
    }
    order = sorted(names, key=lambda name: -worst[names.index(name)])
    plain = {"nets": nets, "eps": [0.1], "radii": [0.1], "summary_eps": 0.1}
    return Results({**plain, "summary": {"ranking": order}})
