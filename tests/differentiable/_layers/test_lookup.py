"""What encoders make of columns that stay is looked up."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from sklearn_robust._norms import MISSING
from sklearn_robust._tables import read_table
from sklearn_robust.differentiable._layers.lookup import Lookup, TableInput

FRAME = pd.DataFrame({"a": list("xyxz"), "b": ["p", None, "q", "p"], "n": [1.0, 2.0, np.nan, 4.0]})


def made_of(fitted, columns):
    table = read_table(FRAME, fitted)
    places = np.array([FRAME.columns.get_loc(name) for name in columns])
    return Lookup(fitted, table, places), torch.as_tensor(table.matrix[:, places])


FITTED = {
    "one column": (OneHotEncoder(), ["a"]),
    "two columns": (OneHotEncoder(), ["a", "b"]),
    "ordinal": (OrdinalEncoder(encoded_missing_value=-1), ["a", "b"]),
    "all together": (FunctionTransformer(lambda d: d.notna().to_numpy(float)), ["n", "a"]),
}


@pytest.mark.parametrize("name", FITTED)
def test_the_transformer_is_reproduced_without_a_gradient(name):
    fitted, columns = FITTED[name]
    wanted = fitted.fit_transform(FRAME[columns])
    wanted = wanted.toarray() if hasattr(wanted, "toarray") else wanted
    module, x = made_of(fitted, columns)
    for dtype in (torch.float64, torch.float32):
        z = copy.deepcopy(module)(x.to(dtype).requires_grad_(True))
        assert not z.requires_grad and z.dtype == dtype
        np.testing.assert_array_equal(z.numpy(), np.asarray(wanted, dtype=float))


def test_missing_values_reach_the_body_as_nan():
    body = TableInput(torch.nn.Identity(), has_missing=True, dtype=torch.float32)
    z = body(torch.tensor([[MISSING, 1.5]], dtype=torch.float64))
    assert z.dtype == torch.float32 and bool(z[0, 0].isnan()) and z[0, 1] == 1.5
