"""Two small comparisons, run once: points of a plane, and images."""

import pytest

from sklearn_robust.report import Settings, compare

SMALL = {"epochs": 2, "samples": 60, "train_samples": 200, "n_jobs": 1, "verbosity": 0}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Run a small comparison; return (results, folder)."""

    def run(data, nets, **changes):
        folder = tmp_path_factory.mktemp("report")
        settings = Settings(data=data, nets=nets, output=str(folder), **SMALL | changes)
        results, page = compare(settings)
        assert page == folder / "index.html"
        return results, folder

    return run


@pytest.fixture(scope="session")
def moons(run):
    """Two nets on points of a plane."""
    return run("moons", ("NaturalNet", "MinMaxNet"))


@pytest.fixture(scope="session")
def digits(run):
    """All five nets on a few images."""
    nets = ("NaturalNet", "AdvTrainNet", "JacobianRegNet", "MinMaxNet", "GAIRATNet")
    return run("digits", nets, train_samples=1000, samples=40, eps=(0.05, 0.1))
