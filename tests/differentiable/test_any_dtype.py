"""One wrapper for modules of any dtype."""

import torch
from torch import nn

from sklearn_robust.differentiable import AnyDtype


def test_any_dtype_keeps_one_copy_for_each():
    module = nn.Linear(4, 2)
    body = AnyDtype(module)
    for dtype in (torch.float32, torch.float64, torch.float64, torch.float16):
        assert body(torch.zeros(1, 4, dtype=dtype)).dtype == dtype
    assert set(body._others) == {torch.float64, torch.float16}
