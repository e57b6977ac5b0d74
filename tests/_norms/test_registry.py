"""Norms by name, and which names may be registered."""

import numpy as np
import pytest

from sklearn_robust._norms import check_norm, norm_names
from sklearn_robust.attacks import Norm, register_norm
from tests._norms.cases import Count


def test_names_and_aliases():
    assert [check_norm(norm) for norm in (np.inf, 2, 1, 0, "l2", 2.0)] == [
        "linf",
        "l2",
        "l1",
        "l0",
        "l2",
        "l2",
    ]
    with pytest.raises(ValueError, match=r"norm is \[2\]; choose 'linf', 'l2'"):
        check_norm([2])


def test_norms_that_cannot_be_registered():
    register_norm(Count)
    with pytest.raises(ValueError, match=r"A norm called 'count' is registered already \(Count\)"):
        register_norm(Count)
    with pytest.raises(ValueError, match="A norm called 2 is registered already"):
        register_norm(type("Mine", (Count,), {"name": "mine", "aliases": (2,)}))
    bare = type("Bare", (Norm,), {"name": "bare", "order": 3})
    with pytest.raises(ValueError, match="Bare does not say what its dual norm is: .*None"):
        register_norm(bare)
    with pytest.raises(ValueError, match="Nameless has name '' and order 3"):
        register_norm(type("Nameless", (Norm,), {"order": 3, "dual": None}))
    with pytest.raises(TypeError, match="register a subclass of"):
        register_norm("count")
    assert norm_names() == ["linf", "l2", "l1", "l0", "count"]
    assert norm_names(with_dual=True) == ["linf", "l2", "l1"]
