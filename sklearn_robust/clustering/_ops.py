"""Replacement of torch functions on the way through a linearised network."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..differentiable._layers.blocks import confine
from ..exceptions import NotLinearizableError

__all__ = ["LinearOps", "mark"]

# Functions go by their names, so that modules, functional calls, methods and in-place calls of
# the same function are one entry.
_IDENTITY = frozenset(
    """
    celu clamp clamp_max clamp_min clip elu expit gelu hardshrink hardsigmoid hardswish
    hardtanh leaky_relu log_sigmoid log_softmax logsigmoid mish prelu relu relu6 rrelu selu sigmoid
    silu softmax softplus softshrink softsign special_expit special_log_softmax special_softmax
    tanh tanhshrink threshold
    alpha_dropout dropout dropout1d dropout2d dropout3d feature_alpha_dropout feature_dropout
    """.split()
) | {confine.__name__}
_SOFTMAXES = frozenset(["softmax", "softmin", "special_softmax"])
_NORMS = frozenset(["group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"])
_CONTROL = frozenset(
    ["__array__", "__bool__", "__float__", "__index__", "__int__", "item", "numpy", "tolist"]
)
_PRODUCTS = frozenset(
    """
    __imul__ __matmul__ __mul__ __rmatmul__ __rmul__ addcmul addmm baddbmm bilinear bmm conv1d
    conv2d conv3d dot einsum linear matmul mm mul multiply mv outer
    """.split()
)
_QUOTIENTS = frozenset(["__itruediv__", "__truediv__", "div", "divide", "true_divide"])
_AFFINE = frozenset(
    """
    __add__ __get__ __getitem__ __iadd__ __isub__ __iter__ __len__ __neg__ __radd__ __rsub__
    __set__ __setitem__ __sub__ adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d add
    avg_pool1d avg_pool2d avg_pool3d batch_norm broadcast_to cat chunk clone concat concatenate
    contiguous conv_transpose1d conv_transpose2d conv_transpose3d copy cumsum device diff
    dim double expand expand_as flatten flip float fold get_device hstack index_select interpolate
    is_complex is_contiguous is_floating_point mean moveaxis movedim narrow ndimension neg
    new_zeros numel ones_like pad permute pixel_shuffle pixel_unshuffle repeat requires_grad
    reshape reshape_as roll select size split split_with_sizes squeeze stack stride sub subtract
    sum swapaxes t tensor_split to to_dense transpose tril triu type type_as unbind unflatten
    unfold unsqueeze upsample view view_as vstack zeros_like
    """.split()
)


_AVERAGES: dict[str, Callable[..., Tensor]] = {
    "max_pool1d": F.avg_pool1d,
    "max_pool2d": F.avg_pool2d,
    "max_pool3d": F.avg_pool3d,
    "adaptive_max_pool1d": F.adaptive_avg_pool1d,
    "adaptive_max_pool2d": F.adaptive_avg_pool2d,
    "adaptive_max_pool3d": F.adaptive_avg_pool3d,
}


def mark(tensor: Tensor) -> Tensor:
    """Mark a tensor as one that depends on the input; results computed from it will be marked."""
    tensor._from_input = True  # type: ignore[attr-defined]
    return tensor


def _count_marked(value: Any) -> int:
    """Count the tensors that depend on the input, in nested lists too."""
    if isinstance(value, Tensor):
        return int(getattr(value, "_from_input", False))
    return sum(map(_count_marked, value)) if isinstance(value, (list, tuple)) else 0


def _mark_all(value: Any) -> Any:
    if isinstance(value, Tensor):
        return mark(value)
    if isinstance(value, (list, tuple)):
        for part in value:
            _mark_all(part)
    return value


class _Call(NamedTuple):
    """Call of a torch function on values that depend on the input."""

    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def input(self) -> Any:
        """First argument."""
        return self.args[0] if self.args else self.kwargs.get("input")

    def run(self) -> Any:
        """Call the function itself."""
        return self.function(*self.args, **self.kwargs)

    def is_affine(self) -> bool:
        """Whether the function is known to be affine in what depends on the input."""
        if self.name in _AFFINE:
            return True
        if self.name in _PRODUCTS:
            return _count_marked(self.args) + _count_marked(tuple(self.kwargs.values())) == 1
        return self.name in _QUOTIENTS and not _count_marked(self.args[1:])


class LinearOps(TorchFunctionMode):
    """Mode of one thread in which all functions of the input are affine.

    Activations, dropout and a softmax at the end are left out, max-pooling averages, BatchNorm
    uses its running statistics or is left out, other normalisations are left out with a warning.
    Only functions of the input are replaced, not those that shape a weight.

    Parameters
    ----------
    batch_norm : {"fold", "drop"}
        What to do with BatchNorm.

    Attributes
    ----------
    suspects : set of str
        Functions of the input seen that may not be affine, with the module that called them.
    stack : list of str
        Names of the modules that run, outermost first; kept by who runs the network.
    dropped : set of str
        Normalisations left out.
    """

    def __init__(self, batch_norm: str) -> None:
        super().__init__()
        self.batch_norm = batch_norm
        self.suspects: set[str] = set()
        self.dropped: set[str] = set()
        self.stack: list[str] = []
        self.softmax_left_out = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not (_count_marked(args) or _count_marked(tuple(kwargs.values()))):
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        name = name if name.startswith("__") else name.strip("_")
        result = self._replacement(_Call(func, name, args, kwargs))
        if args and (name == "__setitem__" or result is args[0]):  # written on in place
            _mark_all([args[0], args[0]._base])  # writing on a view changes its base
        return _mark_all(result)

    def _replacement(self, call: _Call) -> Any:
        """Call the affine function that replaces another."""
        self.softmax_left_out |= call.name in _SOFTMAXES
        if call.name in _IDENTITY or (call.name == "log" and self.softmax_left_out):
            return call.input
        if call.name == "softmin":
            return -call.input
        if call.name in _NORMS:
            self.dropped.add(call.name)
            return call.input
        if call.name in _CONTROL:
            raise NotLinearizableError(
                f"the way through the network depends on the data ({call.name} of values computed "
                "from the input), so no single linear network describes it."
            )
        if call.function is F.batch_norm:
            return self._batch_norm(*call.args, **call.kwargs)
        if "max_pool" in call.name:
            return _average_pool(call.name, *call.args, **call.kwargs)
        if not call.is_affine():
            where = f" in {self.stack[-1]}" if self.stack and self.stack[-1] else ""
            self.suspects.add(call.name.strip("_") + where)
        return call.run()

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if self.batch_norm == "drop":
            return input
        if running_mean is None or running_var is None:
            raise NotLinearizableError(
                "a BatchNorm without running statistics is not affine: type batch_norm='drop' to "
                "leave it out."
            )
        return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)

    def warn(self) -> None:
        """Warn of the normalisations that were left out."""
        if self.dropped:
            warnings.warn(
                f"The linearised network leaves out {', '.join(sorted(self.dropped))}: a "
                "normalisation by each sample's own statistics is not affine.",
                stacklevel=5,
            )


def _average_pool(name: str, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Average where the network takes a maximum: same kernel, stride and padding."""
    average = _AVERAGES.get(name.removesuffix("_with_indices"))
    if name.startswith("fractional"):
        raise NotLinearizableError(
            f"{name} pools windows of random sizes, which no average-pooling does."
        )
    if average is None:
        indices, pooled = True, input
    elif name.startswith("adaptive"):
        size = args[0] if args else kwargs["output_size"]
        pooled, indices = average(input, size), kwargs.get("return_indices", False)
    else:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        indices, dilation = given.pop("return_indices", False), given.pop("dilation", 1)
        if set(dilation if isinstance(dilation, (list, tuple)) else [dilation]) != {1}:
            raise NotLinearizableError(
                "a max-pooling with dilation has no average-pooling of the same geometry."
            )
        given = {key: value for key, value in given.items() if value not in (None, [], ())}
        pooled = average(input, **given)
    if indices or "indices" in name:
        raise NotLinearizableError(
            f"{name} returns or takes the places of the maxima, which an average does not have."
        )
    return pooled
