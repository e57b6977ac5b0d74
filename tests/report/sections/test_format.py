"""Numbers that read alike."""

import pytest

from sklearn_robust.report.sections._format import number


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0.00"), (0.12345, "0.123"), (-1234.5, "−1.23e+03"), (2.0, "2.00"),
     (1e-7, "1.0e−07"), (123.4, "123")],
)  # fmt: skip
def test_numbers_read_alike(value, text):
    assert number(value) == text
