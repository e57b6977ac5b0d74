"""Logits in what a model returns."""

from collections import namedtuple

import pytest
import torch

from sklearn_robust._outputs import as_rows, first_tensor, logits_in, wrap_shape_errors

Z = torch.arange(6.0).reshape(3, 2)
Named = namedtuple("Named", ["loss", "logits"])


@pytest.mark.parametrize(
    "output",
    [Z, (Z, None), [[Z]], {"logits": Z, "a": None}, {"a": Z}, Named(torch.zeros(3, 2), Z)],
)
def test_logits_are_found_in_what_a_module_returns(output):
    assert first_tensor(output) is Z
    assert logits_in("Net", output) is Z


def test_axes_of_size_one_are_dropped_and_that_of_samples_comes_back():
    assert torch.equal(as_rows(Z[:, :, None, None], 3), Z)
    assert as_rows(Z[0], 1).shape == (1, 2)
    assert as_rows(Z[:, 0], 3).shape == (3, 1)


@pytest.mark.parametrize(
    ("output", "match"),
    [
        (Z[:, :1], r"Net returns an output of shape \(3, 1\); a classifier returns logits"),
        (None, "Net returns NoneType; a classifier returns logits"),
        (Z + 1j, "Net returns complex numbers: let its forward return real logits"),
    ],
)
def test_what_is_no_logits_is_refused(output, match):
    with pytest.raises(ValueError, match=match):
        logits_in("Net", output)


def test_an_error_of_the_model_names_the_shape():
    with pytest.raises(ValueError, match=r"Net fails on samples of shape \(5,\) \(broken\)"):
        with wrap_shape_errors("Net", (5,)):
            raise RuntimeError("broken.\nmore")


def test_an_error_of_another_kind_passes():
    with pytest.raises(NotImplementedError), wrap_shape_errors("Net", (5,)):
        raise NotImplementedError
