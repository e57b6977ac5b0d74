"""Superclasses in any form that users write."""

import numpy as np
import pytest

from sklearn_robust.clustering._taxonomy import superclass_codes

CLASSES = np.array(["cat", "dog", "ship", "car"])


TAXONOMIES = [
    ({"animal": ["cat", "dog"]}, r"misses the classes \['ship', 'car'\]"),
    ({"animal": ["cat", "dog", "cow"]}, r"'animal' has the classes \['cow'\], which are unknown"),
    ({"a": ["cat", "dog"], "b": ["dog", "ship", "car"]}, "'b' is empty or shares a class"),
    ({"a": ["cat", "cat"], "b": ["dog", "ship", "car"]}, "'a' is empty or shares a class"),
    ({"a": [], "b": CLASSES}, "'a' is empty or shares a class"),
    ({"a": CLASSES}, "4 classes into 1: give at least two"),
    ([0, 1, 2, 3], "4 classes into 4: give at least two superclasses, and one of them"),
    ([0, 1, 1], r"shape \(3,\), but there are 4 classes"),
    ({"cat": "pet", "dog": "pet", "ship": "toy", "car": "toy"}, "{'cat': 'pet', ...}.*other way"),
    ({"cat": 0, "dog": 0}, "{'cat': 0, ...}, from classes to superclasses: give it the other way"),
]


@pytest.mark.parametrize(("superclasses", "message"), TAXONOMIES, ids=lambda v: str(v)[:30])
def test_a_taxonomy_that_makes_no_sense_is_refused(superclasses, message):
    with pytest.raises(ValueError, match=message):
        superclass_codes(superclasses, CLASSES)


# Every way to say that the first two classes belong together; the names, as they come back.
WAYS = {
    "dict": ({"animal": ["dog", "cat"], "vehicle": ["ship", "car"]}, ["animal", "vehicle"]),
    "dict of a set": ({"a": {"dog", "cat"}, "b": ("ship", "car")}, ["a", "b"]),
    "dict out of order": ({"b": ["ship", "car"], "a": ["dog", "cat"]}, ["a", "b"]),
    "dict of numbers": ({10: ["ship", "car"], 9: ["dog", "cat"]}, [9, 10]),
    "list": (["animal", "animal", "vehicle", "vehicle"], ["animal", "vehicle"]),
    "array": (np.array(["a", "a", "b", "b"], dtype=object), ["a", "b"]),
    "dict of tuples": ({("a", 2): CLASSES[2:], ("a", 1): CLASSES[:2]}, [("a", 1), ("a", 2)]),
    "list of tuples": ([("a", 1), ("a", 1), ("a", 2), ("a", 2)], [("a", 1), ("a", 2)]),
    "tuples of any length": ({("b",): CLASSES[2:], ("a", 1): CLASSES[:2]}, [("a", 1), ("b",)]),
    "text and numbers": ({"a": CLASSES[:2], 1: CLASSES[2:]}, ["a", 1]),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_taxonomy_is_read_in_any_form_and_its_names_are_sorted_where_they_can_be(way):
    superclasses, wanted = WAYS[way]
    codes, names = superclass_codes(superclasses, CLASSES)
    assert codes.tolist() == [0, 0, 1, 1] and names.tolist() == wanted
    assert names.shape == (2,) and codes.dtype == np.int64


def test_names_without_an_order_keep_that_of_the_dictionary():
    codes, names = superclass_codes({1: CLASSES[2:], "a": CLASSES[:2]}, CLASSES)
    assert codes.tolist() == [1, 1, 0, 0] and names.tolist() == [1, "a"]
