"""What becomes of each torch function on the way through a linearised network."""

import warnings

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..exceptions import NotLinearizableError

__all__ = ["LinearOps", "mark"]

# Functions go by their names, so that modules, functional calls, methods and in-place calls of
# the same function are one entry.
_IDENTITY = frozenset(
    """
    celu clamp clamp_max clamp_min clip confine elu expit gelu hardshrink hardsigmoid hardswish
    hardtanh leaky_relu log_sigmoid log_softmax logsigmoid mish prelu relu relu6 rrelu selu sigmoid
    silu softmax softplus softshrink softsign special_expit special_log_softmax special_softmax
    tanh tanhshrink threshold
    alpha_dropout dropout dropout1d dropout2d dropout3d feature_alpha_dropout feature_dropout
    """.split()
)
_HEADS = frozenset(["softmax", "softmin", "special_softmax"])
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


def mark(tensor):
    """Say that a tensor depends on the input; what is computed from it will, too."""
    tensor._from_input = True
    return tensor


def _marked(value):
    """Count the tensors that depend on the input, in nested lists too."""
    if isinstance(value, torch.Tensor):
        return int(getattr(value, "_from_input", False))
    return sum(map(_marked, value)) if isinstance(value, (list, tuple)) else 0


def _mark_all(value):
    if isinstance(value, torch.Tensor):
        return mark(value)
    if isinstance(value, (list, tuple)):
        for part in value:
            _mark_all(part)
    return value


class LinearOps(TorchFunctionMode):
    """Mode in which what happens to the input is affine; all else is computed as ever.

    Activations, dropout and a softmax at the end are left out, max-pooling averages, BatchNorm
    uses its running statistics or is left out, other normalisations are left out with a warning.
    Only functions of the input are replaced: one that shapes a weight is left alone.

    Parameters
    ----------
    batch_norm : {"fold", "drop"}
        What to do with BatchNorm.

    Attributes
    ----------
    suspects : set of str
        Functions of the input seen that may not be affine.
    dropped : set of str
        Normalisations left out.
    """

    def __init__(self, batch_norm):
        super().__init__()
        self.batch_norm = batch_norm
        self.suspects = set()
        self.dropped = set()
        self.softmax_left_out = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        n_marked = _marked(args) + _marked(tuple(kwargs.values()))
        if not n_marked:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        name = name if name.startswith("__") else name.strip("_")
        result = self._replacement(func, name, args, kwargs, n_marked)
        if args and (name == "__setitem__" or result is args[0]):  # written on in place
            _mark_all([args[0], args[0]._base])  # a view is written on through to its base
        return _mark_all(result)

    def _replacement(self, func, name, args, kwargs, n_marked):
        x = args[0] if args else kwargs.get("input")
        self.softmax_left_out |= name in _HEADS
        if name in _IDENTITY or (name == "log" and self.softmax_left_out):
            return x
        if name == "softmin":
            return -x
        if name in _NORMS:
            self.dropped.add(name)
            return x
        if name in _CONTROL:
            raise NotLinearizableError(
                f"the way through the network depends on the data ({name} of values computed from "
                "the input), so there is no single linear network behind it."
            )
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if "max_pool" in name:
            return _average_pool(name, *args, **kwargs)
        if not (
            name in _AFFINE
            or (name in _PRODUCTS and n_marked == 1)
            or (name in _QUOTIENTS and not _marked(args[1:]))
        ):
            self.suspects.add(name.strip("_"))
        return func(*args, **kwargs)

    def _batch_norm(
        self,
        input,
        running_mean,
        running_var,
        weight=None,
        bias=None,
        training=False,
        momentum=0.1,
        eps=1e-5,
    ):
        if self.batch_norm == "drop":
            return input
        if running_mean is None or running_var is None:
            raise NotLinearizableError(
                "a BatchNorm without running statistics is not affine: type batch_norm='drop' to "
                "leave it out."
            )
        return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)

    def warn(self):
        """Warn of the normalisations that were left out."""
        if self.dropped:
            warnings.warn(
                f"The linearised network leaves out {', '.join(sorted(self.dropped))}: a "
                "normalisation by each sample's own statistics is not affine.",
                stacklevel=4,
            )


def _average_pool(name, input, *args, **kwargs):
    """Average where the network takes a maximum: same kernel, stride and padding."""
    if name.startswith("adaptive_max_pool"):
        size = args[0] if args else kwargs["output_size"]
        average = getattr(F, "adaptive_avg_" + name.removeprefix("adaptive_max_")[:6])
        pooled, indices = average(input, size), kwargs.get("return_indices", False)
    elif name.startswith("max_pool"):
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        indices, dilation = given.pop("return_indices", False), given.pop("dilation", 1)
        if set(dilation if isinstance(dilation, (list, tuple)) else [dilation]) != {1}:
            raise NotLinearizableError(
                "a max-pooling with dilation has no average-pooling of the same geometry."
            )
        given = {key: value for key, value in given.items() if value not in (None, [], ())}
        pooled = getattr(F, "avg_" + name.removeprefix("max_")[:6])(input, **given)
    elif name.startswith("fractional"):
        raise NotLinearizableError(
            f"{name} pools windows of random sizes, which no average-pooling does."
        )
    else:
        indices, pooled = True, input
    if indices or "indices" in name:
        raise NotLinearizableError(
            f"{name} returns or takes the places of the maxima, which an average does not have."
        )
    return pooled
