"""Operations that torch differentiates once alone, in forms that it differentiates twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from ..exceptions import NotDifferentiableError

__all__ = ["explain_first_order", "refuse_first_order", "twice_differentiable"]

_MESSAGE = "derivative for "  # of torch's error: "derivative for aten::name is not implemented"


class _TwiceDifferentiable(TorchFunctionMode):
    """Mode of one thread that replaces the operations without a second derivative."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _FORMS.get(func, func)(*args, **(kwargs or {}))


def _hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    return (input / 6 + 0.5).clamp(0, 1)


_FORMS: dict[Any, Callable[..., Tensor]] = {functional.hardsigmoid: _hardsigmoid}


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Compute what is to be differentiated twice, in this thread alone.

    Fused attention kernels and hard sigmoids are computed by operations that have a second
    derivative.
    """
    with explain_first_order(), sdpa_kernel(SDPBackend.MATH), _TwiceDifferentiable():
        yield


@contextmanager
def explain_first_order() -> Iterator[None]:
    """Say which operation has no second derivative, where torch raises for want of one.

    Raises
    ------
    NotDifferentiableError
        In place of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        refuse_first_order(error)
        raise


def refuse_first_order(error: RuntimeError) -> None:
    """Raise a sentence if an error of torch is about a missing second derivative.

    Raises
    ------
    NotDifferentiableError
        With the name of the operation.
    """
    text = str(error)
    if _MESSAGE not in text or "not implemented" not in text:
        return
    name = text.split(_MESSAGE)[1].split()[0].removeprefix("aten::").removesuffix("_backward")
    raise NotDifferentiableError(
        f"torch has no second derivative of {name}, which the model uses: write it with basic "
        "operations (torch.clamp, torch.exp and the like), or use what needs first derivatives "
        "alone, such as input_jacobian and MinMaxNet."
    ) from error
