"""What a comparison keeps on disk."""

import numpy as np
import pytest

from sklearn_robust.report._kept import Finished, Kept, difference

PART = Finished({"a": 1}, {"share": 0.5}, {"mask": np.array([True, False])})


def test_a_part_is_read_as_it_was_written(tmp_path):
    kept = Kept(tmp_path)
    assert kept.read("A") is None
    kept.write("A", PART)
    found = Kept(tmp_path).read("A")
    assert (found.key, found.plain) == (PART.key, PART.plain)
    np.testing.assert_array_equal(found.arrays["mask"], PART.arrays["mask"])


@pytest.mark.parametrize("content", [b"", b"text", "half"])
def test_a_damaged_part_counts_as_none(content, tmp_path):
    Kept(tmp_path).write("A", PART)
    path = tmp_path / "kept" / "A.npz"
    path.write_bytes(path.read_bytes()[:200] if content == "half" else content)
    assert Kept(tmp_path).read("A") is None


def test_a_full_disk_is_told_of_and_ends_nothing(tmp_path):
    (tmp_path / "kept").write_text("in the way")
    with pytest.warns(UserWarning, match="A cannot be kept in .*kept .*--resume will have to do"):
        Kept(tmp_path).write("A", PART)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ({"a": 1, "b": (1, 2)}, {"a": 1, "b": [1, 2]}, None),
        ({"--seed": 1}, {"--seed": 2}, "--seed was 1 and is 2"),
        ({"--seed": 1}, {}, "--seed was 1 and is None"),
        ({"the data": "ab"}, {"the data": "cd"}, "the data changed"),
        ({"the net": "N" * 99}, {"the net": "M"}, f"the net was {'N' * 77}... and is M"),
    ],
)
def test_the_first_difference_is_said(old, new, text):
    assert difference(old, new) == text
