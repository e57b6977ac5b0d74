"""The record of a callback is drawn with its intervals."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import FGSM
from sklearn_robust.callbacks import RobustHistory
from sklearn_robust.datasets import load_moons
from sklearn_robust.plotting import RobustOverfittingDisplay
from sklearn_robust.plotting._intervals import binomial_band

X, Y = load_moons(200, random_state=0)


def test_the_lines_are_the_history(pyplot):
    net = NaturalNet(max_epochs=5, callbacks=[RobustHistory(FGSM(eps=0.05))], random_state=0)
    model = make_pipeline(MinMaxScaler(), net).fit(X, Y)
    display = RobustOverfittingDisplay.from_net(model, name="net")
    for line, band, side in zip(display.lines_, display.bands_, ("train", "test"), strict=True):
        curve = model[-1].history[:, f"robust_{side}_acc"]
        assert line.get_ydata().tolist() == curve
        low, high = binomial_band(curve, {"train": 160, "test": 40}[side])
        ends = band.get_paths()[0].get_extents()
        assert np.isclose(ends.y0, low.min()) and np.isclose(ends.y1, high.max())
    assert display.best_epoch_ == 1 + np.argmax(model[-1].history[:, "robust_test_acc"])
    assert display.ax_.get_title() == "net"
    assert not display.plot(confidence=None).bands_
    with pytest.raises(ValueError, match=r"train it with callbacks=\[RobustHistory\(\)\]"):
        RobustOverfittingDisplay.from_net(NaturalNet(max_epochs=1).fit(X, Y))
    with pytest.raises(ValueError, match="confidence is -1"):
        display.plot(confidence=-1)
