"""The progress of a fit, shown as often as asked."""

import pickle
import re

from skorch.dataset import ValidSplit

from sklearn_robust import NaturalNet
from tests.cases import blobs, quick, same_weights


def test_a_progress_bar_names_the_net_the_epochs_and_the_loss(capsys):
    X, y = blobs()
    quick(NaturalNet, verbose=1, train_split=ValidSplit(4)).fit(X, y)
    shown = capsys.readouterr()
    last = re.split(r"[\r\n]+", shown.err.strip())[-1]
    assert last.startswith("NaturalNet: 100%") and "2/2" in last
    assert "train_loss=" in last and "valid_loss=" in last
    assert shown.out == ""


def test_skorchs_table_at_the_second_level_and_silence_at_none(capsys):
    X, y = blobs()
    quick(NaturalNet, verbose=2).fit(X, y)
    assert "train_loss" in capsys.readouterr().out
    quick(NaturalNet).fit(X, y)
    assert capsys.readouterr() == ("", "")


def test_a_net_that_shows_progress_can_be_fitted_and_copied_again():
    X, y = blobs()
    net = quick(NaturalNet, verbose=1).fit(X, y)
    again = pickle.loads(pickle.dumps(net))
    assert same_weights(net, again.fit(X, y))
