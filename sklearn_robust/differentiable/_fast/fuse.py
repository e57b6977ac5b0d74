"""A faster copy of a frozen module: batch normalisation fused, convolutions channels-last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..._validation import first_tensor
from .copying import frozen_twin, into_eval
from .dry_run import DryRun, draws_random_numbers, dry_run_lock
from .single_channel_conv import SingleChannelConv2d

__all__ = ["FusedModule", "can_be_fused", "fused_copy"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_TOLERANCE = 1e-3  # of the largest logit: far above rounding, far below a wrong layer


class FusedModule(nn.Module):
    """Frozen module that computes in less time when the first batch has shown that it may.

    Convolutions are laid out channels-last on a CPU, batch normalisation is fused into the
    convolution before it, and the gradient to images of one channel is found by tiles. Each of
    these is tried on one or two samples, and left out where it fails or where values or input
    gradients differ from those of the module itself. A module that draws random numbers stays as
    it is.

    Parameters
    ----------
    module : torch.nn.Module
        Frozen; not changed.
    known : dict
        Remembers from copy to copy of a module in training what may be done to it.
    """

    def __init__(self, module: nn.Module, known: dict[str, Any]) -> None:
        super().__init__()
        self.module = module
        self._plain = (module,)  # hidden in a tuple: a part that computes nothing is no submodule
        self.ready = False
        self.known = known

    @property
    def plain(self) -> nn.Module:
        """The module itself."""
        return self._plain[0]

    def train(self, mode: bool = True) -> FusedModule:
        """Stay in evaluation mode, as the module's own ``eval`` defines it."""
        self.training = False
        into_eval(self.module)
        return self

    def forward(self, x: torch.Tensor) -> Any:
        """Output of the module."""
        if not self.ready and len(x):
            with dry_run_lock():  # no thread computes before the module is as it will stay
                if not self.ready:
                    self._prepare(x)
        try:
            return self.module(x if self.module is self.plain else x.clone())
        except RuntimeError:  # such as a view that this batch's layout does not allow
            if self.module is self.plain:
                raise
            z = self.plain(x)
            self.module = self.plain
            return z

    def _prepare(self, x: torch.Tensor) -> None:
        x = x.detach()
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(x.device.type, enabled=False),
        ):
            if "layout" in self.known:
                layout = self.known["layout"]
                self.module = self.plain if layout is None else _fused(self.plain, layout, x[:1])
            else:
                self.known["layout"] = self._try(x)
        self.ready = True

    def _try(self, x: torch.Tensor) -> str | None:
        if draws_random_numbers(self.plain, x[:1].clone()):
            return None
        pair = x[:2] if len(x) > 1 else torch.cat([x, x])
        wanted = _values_and_gradient(self.plain, pair)
        for layout in _layouts(self.plain):
            try:
                fused = _fused(self.plain, layout, x[:1])
                if _all_agree(_values_and_gradient(fused, pair), wanted):
                    self.module = fused
                    return layout
            except Exception:  # the user's own code may raise anything
                continue
        return None


def _layouts(module: nn.Module) -> list[str]:
    """Name the ways to lay out convolutions, the fastest first."""
    layers = module.modules()
    wide = any(isinstance(layer, nn.Conv2d) and layer.in_channels > 1 for layer in layers)
    return ["channels last", "contiguous"] if wide else ["contiguous"]


def _fused(module: nn.Module, layout: str, x: torch.Tensor) -> nn.Module:
    """Faster twin of a module."""
    fused = frozen_twin(module)
    if layout == "channels last":
        fused = fused.to(memory_format=torch.channels_last)
    if any(isinstance(layer, _NORMALISATIONS) for layer in module.modules()):
        _fold_normalisation(fused, x.clone())
    return _with_single_channel_layers(fused)


def _values_and_gradient(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Logits of a few samples, and the gradient of a mean of theirs where there is one."""
    with torch.enable_grad():
        x = x.clone().requires_grad_(True)
        z = first_tensor(module(x.clone()))
        if not z.requires_grad:
            return [z]
        weights = torch.linspace(1, 2, z[0].numel(), device=z.device, dtype=z.dtype)
        try:
            grad = torch.autograd.grad((z.flatten(1) @ weights).sum(), x, allow_unused=True)[0]
        except (RuntimeError, NotImplementedError):  # a later call says so in its own words
            grad = None
    return [z.detach()] if grad is None else [z.detach(), grad]


def _all_agree(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> bool:
    """Whether values and gradients differ by rounding alone."""
    return len(found) == len(wanted) and all(map(_agree, found, wanted))


def _fold_normalisation(module: nn.Module, x: torch.Tensor) -> None:
    """Fold in place, and undo it where the output of ``x`` is not the same."""
    folded = []
    try:
        run = DryRun(module, [part for part in module.modules() if _is_plain(part)], x)
        for convolution, norm in _pairs(run):
            folded.append((convolution, convolution.weight, convolution.bias, norm))
            _fold(convolution, norm)
        same = not folded or _agree(module(x), run.output)
    except Exception:  # the user's own code may raise anything on a single sample
        same = False
    if not same:
        for convolution, weight, bias, norm in folded:
            convolution.weight, convolution.bias = weight, bias
            vars(norm).pop("forward", None)


def _is_plain(layer: nn.Module) -> bool:
    """Whether a layer computes as its class does: a subclass or a hook may change its weight."""
    plain = type(layer) in (*_CONVOLUTIONS, *_NORMALISATIONS)
    changed = layer._forward_pre_hooks or layer._forward_hooks or "forward" in vars(layer)
    return plain and not changed


def _pairs(run: DryRun) -> Iterator[tuple[Any, Any]]:
    """Yield each convolution whose output only one normalisation reads, and that layer."""
    made_by = {id(z): layer for layer, z in run.outputs.items() if type(layer) in _CONVOLUTIONS}
    for norm, z in run.inputs.items():
        convolution: Any = made_by.get(id(z))
        if convolution is None or type(norm) not in _NORMALISATIONS or z is run.output:
            continue
        if run.calls[norm] > 1 or run.calls[convolution] > 1 or not run.read_by(z, norm):
            continue
        statistics = norm.running_mean
        if statistics is None or convolution.weight.dtype != statistics.dtype:
            continue
        if all(_reads_own(run, layer) for layer in (convolution, norm)):
            yield convolution, norm


def _reads_own(run: DryRun, layer: nn.Module) -> bool:
    """Whether no other code reads the layer's weights, which folding changes."""
    own = (*layer.parameters(), *layer.buffers())
    return all(run.read_by(tensor, layer) for tensor in own)


def _fold(convolution: Any, norm: Any) -> None:
    """Let the convolution do in eval mode what both layers do."""
    # The same layer may be known by other names: change it, and not who holds it.
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    norm.forward = _same


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _agree(found: Any, wanted: Any) -> bool:
    """Whether two outputs, or the first parts of them, differ by rounding alone."""
    found, wanted = first_tensor(found), first_tensor(wanted)
    scale = _TOLERANCE * float(wanted.abs().max())
    return torch.allclose(found, wanted, rtol=0, atol=scale, equal_nan=True)


def _with_single_channel_layers(module: nn.Module) -> nn.Module:
    """Put a faster copy in the place of each convolution of one channel that has a parent."""
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Conv2d) and SingleChannelConv2d.suits(layer):
                setattr(parent, name, SingleChannelConv2d(layer))
    return module


def can_be_fused(module: nn.Module) -> bool:
    """Whether a module has layers that may compute in less time in a fused copy."""
    return bool([layer for layer in module.modules() if isinstance(layer, _CONVOLUTIONS)])


def fused_copy(module: nn.Module, known: dict[str, Any] | None = None) -> nn.Module:
    """Copy of an eval-mode module that gives the same output, up to rounding, sooner.

    Batch normalisation is fused into the convolution before it, and on a CPU convolutions are laid
    out channels-last, those of one channel so that their gradient is fast. Other weights share
    their memory with ``module``. A module that decides by the values of its tensors keeps its
    batch normalisation, and one that draws random numbers all its layers.

    Parameters
    ----------
    module : torch.nn.Module
        In eval mode; not changed.
    known : dict, default=None
        What an earlier copy of the same module, with other weights, has found out.

    Returns
    -------
    fused : torch.nn.Module
        Frozen copy, or ``module`` itself where nothing can be gained.
    """
    layers = list(module.modules())
    compiled = any("_orig_mod" in dict(layer.named_children()) for layer in layers)
    scripted = any(isinstance(layer, torch.jit.ScriptModule) for layer in layers)
    if compiled or scripted or not can_be_fused(module):
        return module
    return FusedModule(module, {} if known is None else known).eval()
