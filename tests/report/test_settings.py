"""Requests without sense."""

import pytest

from sklearn_robust.report import BadInput, Settings, compare


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nets": ("NaturalNet", "Nett")}, "there is no net Nett; choose from"),
        ({"nets": ()}, "there is no net nothing"),
        ({"nets": ("NaturalNet", "NaturalNet")}, "names a net twice"),
        ({"device": "gpu"}, "device is 'gpu'"),
    ],
)
def test_requests_without_sense_are_refused(changes, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        compare(Settings(data="moons", output=str(tmp_path), verbosity=0, **changes))
