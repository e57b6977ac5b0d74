"""Two small comparisons, run once: points of a plane, and images."""

import pytest

from sklearn_robust.report import Settings, compare

SMALL = {"epochs": 2, "samples": 60, "train_samples": 200, "n_jobs": 1, "verbosity": 0}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Run a small comparison with few points on its curves; return (results, folder).

    Without ``files`` its figures are drawn, but not written.
    """

    def run(data, nets, page=True, files=False, **changes):
        folder = tmp_path_factory.mktemp("report")
        settings = Settings(data=data, nets=nets, output=str(folder), **SMALL | changes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sklearn_robust.report._compare._N_CURVE", 1)
            if not files:
                patch.setattr("sklearn_robust.report._page.settle", lambda *_: None)
                patch.setattr("sklearn_robust.report._page.to_png", lambda *_: None)
                patch.setattr("sklearn_robust.report._page.to_svg", lambda *_: "<svg></svg>")
            if not page:
                patch.setattr("sklearn_robust.report._files.write_page", lambda *_: None)
            results, _ = compare(settings)
        return results, folder

    return run


@pytest.fixture(scope="session")
def moons(run):
    """Two nets on points of a plane."""
    return run("moons", ("NaturalNet", "MinMaxNet"), files=True)


@pytest.fixture(scope="session")
def digits(run):
    """Three nets on a few images."""
    nets = ("NaturalNet", "AdvTrainNet", "JacobianRegNet")
    return run("digits", nets, train_samples=1000, samples=40, eps=(0.05, 0.1), files=True)


@pytest.fixture(params=["moons", "digits"])
def report(request):
    """Either report."""
    return request.getfixturevalue(request.param)
