"""Relations are parsed on a whitelist, and evaluated on the columns."""

import numpy as np
import pandas as pd
import pytest

from sklearn_robust._tables import read_table
from sklearn_robust._tables._relations import read_relations

FRAME = pd.DataFrame(
    {
        "a": [1.0, 2, 3, np.nan],
        "b c": [4.0, 1, 3, 1],
        "job": ["x", "y", "x", "y"],
        "n": [1, 2, 3, 4],
    }
)
TABLE = read_table(FRAME, None)

HOLDS = {
    "a <= `b c`": [True, False, True, True],
    "a / 2 + 1 < `b c` * n": [True, False, True, True],
    "0 < a <= 2": [True, True, False, True],
    "job == 'x' or n > 3": [True, False, True, True],
    "not (n == 2) and -n ** 2 < 0": [True, False, True, True],
    "max(a, 2) == a": [False, True, True, True],
    "abs(n - 2) >= 1": [True, False, True, True],
    "sqrt(n) % 2 != 0": [True, True, True, False],
}


@pytest.mark.parametrize("text", HOLDS)
def test_texts_are_evaluated(text):
    (relation,) = read_relations(text, TABLE)
    assert relation.holds(TABLE.matrix).tolist() == HOLDS[text]


@pytest.mark.parametrize(
    "text", ["a <= n - 1", "n - 1 >= a", "a < n - 1", "a == n - 1", "a >= n * 2"]
)
def test_a_column_by_itself_is_set_to_what_holds(text):
    (relation,) = read_relations([text], TABLE)
    matrix = TABLE.matrix.copy()
    matrix[:, relation.target] = relation.assign(matrix)
    assert relation.holds(matrix).all() and matrix[3, 0] == TABLE.matrix[3, 0]


def test_functions_see_the_frame():
    def few(frame):
        assert frame.dtypes.equals(FRAME.dtypes)
        return (frame.n < 3).to_numpy()

    (relation,) = read_relations([few], TABLE)
    assert relation.holds(TABLE.matrix).tolist() == [True, True, False, False]
    (broken,) = read_relations([lambda frame: frame.n], TABLE)
    with pytest.raises(ValueError, match="returns int64 of shape .4,. for 4 rows: return one bool"):
        broken.holds(TABLE.matrix)


REFUSED = {
    "a <": "it is no expression",
    "a + n": "it compares nothing",
    "__import__('os').system('true') == 0": "not known",
    "a.real < 1": "a.real is not known",
    "a[0] < 1": "not known",
    "(lambda: 1)() < a": "not known",
    "a < zz": "names the column 'zz', which X does not have",
    "a < None": "None is no number",
    "a in [1]": "not known",
    "a\0 < 1": "it is no expression",
    "a < " + "9" * 400: "a number is too large",
    "+".join(["a"] * 400) + " < 1": "A relation has 803 characters",
    "a < open('f')": "not known",
}


@pytest.mark.parametrize("text", REFUSED)
def test_all_else_is_refused(text):
    with pytest.raises(ValueError, match=REFUSED[text]):
        read_relations([text], TABLE)


def test_other_things_are_no_relations():
    with pytest.raises(ValueError, match="relations is 3; give a list of texts"):
        read_relations(3, TABLE)
    with pytest.raises(ValueError, match="relations holds 3; give a text"):
        read_relations([3], TABLE)
    assert read_relations(None, TABLE) == []
    (array,) = read_relations("x0 < x1", read_table(np.array([[1.0, 2], [2, 1]]), None))
    assert array.holds(np.array([[1.0, 2], [2, 1]])).tolist() == [True, False]


def test_numbers_are_floats_and_texts_are_no_numbers():
    (tower, zero, texts) = read_relations(["a < 9**9**9**9", "a < 1 / 0", "a < 2 * 'x'"], TABLE)
    assert tower.holds(TABLE.matrix).all() and zero.holds(TABLE.matrix).all()
    with pytest.raises(ValueError, match="computes with texts, or compares them with numbers"):
        texts.holds(TABLE.matrix)
