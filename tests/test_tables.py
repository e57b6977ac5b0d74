"""The scripts that make the tables of the guide run to their end, on a handful of images."""

import runpy
from pathlib import Path

import numpy as np
import pytest

TABLES = Path(__file__).parents[1] / "examples" / "tables"

pytestmark = pytest.mark.skipif(not TABLES.is_dir(), reason="the examples are not here")

TRAINING = [
    "--nets", "natural", "GAIRAT", "MinMax", "--n-train", "40", "--n-test", "10", "--n-auto", "4",
    "--epochs", "1", "--seeds", "1", "--n-jobs", "1", "--channels", "2", "2",
]  # fmt: skip
SURFACE = [
    "--nets", "natural", "Jacobian", "--n-train", "40", "--n-test", "10", "--epochs", "1",
    "--channels", "2", "2", "--device", "cpu",
]  # fmt: skip
CLUSTERING = [
    "--nets", "natural", "min-max", "--n-train", "40", "--n-test", "20", "--n-attack", "4",
    "--n-auto", "0", "--epochs", "1", "--seeds", "0", "--channels", "2", "2", "2", "2",
    "--device", "cpu",
]  # fmt: skip
SWEEP = [
    "--nets", "JacobianRegNet", "--n-train", "40", "--n-test", "20", "--n-attack", "10",
    "--n-splits", "2", "--epochs", "1", "--jobs", "1",
]  # fmt: skip

# script, shape of its images, options, what the printed table has to hold, and the files that a
# second run has to leave as they are
CASES = [
    (
        "table_training",
        (1, 28, 28),
        TRAINING,
        ["| MinMax | last |", "GAIRAT less MinMax"],
        "output/rows/*",
    ),
    (
        "table_surface",
        (1, 28, 28),
        SURFACE,
        ["| Jacobian |", "Jacobian: 98 % natural"],
        "output/checkpoints/*/*.pt",
    ),
    (
        "table_clustering",
        (3, 32, 32),
        CLUSTERING,
        ["| min-max |", "contrast of min-max minus"],
        "output",
    ),
    ("sweep_regularization", (1, 8, 8), SWEEP, ["JacobianRegNet", "the loss gap shrinks"], None),
]


def write_images(path, shape):
    """Ten classes of noisy images: enough of each for every part of a script."""
    rng = np.random.default_rng(0)
    sizes = {"train": 1600, "test": 40}
    images = {f"X_{part}": rng.random((n, *shape), dtype="float32") for part, n in sizes.items()}
    labels = {f"y_{part}": np.arange(n) % 10 for part, n in sizes.items()}
    np.savez(path, **images, **labels)


# One batch of noise does not teach a net to tell ten classes apart.
@pytest.mark.filterwarnings("ignore:.* gives all samples one label:UserWarning")
@pytest.mark.parametrize(
    ("script", "shape", "options", "wanted", "kept"), CASES, ids=[case[0] for case in CASES]
)
def test_a_table_is_printed_and_a_second_run_goes_on_from_it(
    script, shape, options, wanted, kept, tmp_path, monkeypatch, capsys
):
    write_images(tmp_path / "images.npz", shape)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(TABLES)  # where Python itself looks when it runs a script
    argv = [script, "--data", "images.npz", "--output", "output", *options]
    monkeypatch.setattr("sys.argv", argv)
    written = []
    for _ in range(2):
        runpy.run_path(str(TABLES / f"{script}.py"), run_name="__main__")
        printed = capsys.readouterr().out
        assert all(text in printed for text in wanted), printed
        found = sorted(tmp_path.glob(kept)) if kept else []
        written.append({path: path.stat().st_mtime_ns for path in found})
    assert written[0] == written[1]
    assert bool(written[0]) == bool(kept)


def test_the_table_of_both_sides_is_printed(monkeypatch, capsys):
    words = ["LogisticRegression", "DecisionTree"]
    monkeypatch.setattr("sys.argv", ["table_bounds", "--samples", "10", "--models", *words])
    runpy.run_path(str(TABLES / "table_bounds.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert printed.count("DecisionTreeClassifier") == 2 and "digits, 10 samples" in printed
