"""Weights in a saved net: unpacked without code, and compared with the module they are for."""

from __future__ import annotations

import io
import pickletools
import re
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torch.nn.parameter import is_lazy

from ..._archive import Archive, UnreadableError
from .json_form import shortened

__all__ = ["bad_weight", "fill", "misfit", "unpack"]

# Longest list of tensors, without their numbers: that of some 5,000 tensors.
_LARGEST_LIST = 2**20
# What a list of tensors may name; torch's own allow-list is longer, and lets memory be taken.
_PARTS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|tensor_v3|parameter)"
    r"|torch \w+Storage|torch\.storage UntypedStorage|torch (Size|device)|_codecs encode"
    r"|__builtin__ set|builtins set"
    r"|torch (float|double|half|bfloat|complex|u?int|long|short|bool|cfloat|cdouble)\w*"
)


def unpack(packed: io.BytesIO, path: Any) -> dict[str, Any]:
    """Unpack a state dict, on the CPU.

    Parameters
    ----------
    packed : binary file
        Written by ``torch.save``.
    path : str or path-like
        Where they are from, for the messages.

    Returns
    -------
    state : dict
        Weights by name.
    """
    try:
        _check_list(packed)
        packed.seek(0)
        state = torch.load(packed, map_location="cpu", weights_only=True)
    except Exception as error:  # of any kind: the bytes are a stranger's
        raise ValueError(
            f"the weights in {path} cannot be read, since "
            f"{error if isinstance(error, UnreadableError) else 'they are damaged or hold code'}: "
            "save the net again by net.save(path)."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ValueError(
            f"{path} holds a {type(state).__name__} of other things than weights by name: save the "
            "net again by net.save(path)."
        )
    consume_prefix_in_state_dict_if_present(state, "_orig_mod.")  # of compiled nets, once
    return state


def _check_list(packed: io.BytesIO) -> None:
    """Raise unless the list of tensors is short and names tensors alone."""
    try:
        archive = Archive(packed)
    except UnreadableError:
        raise UnreadableError("they are cut short, or none of torch.save's") from None
    if not all(map(archive.is_stored, archive.names)):
        raise UnreadableError("they are packed twice")
    lists = [name for name in archive.names if name.endswith("/data.pkl")]
    if len(lists) != 1 or archive.size(lists[0]) > _LARGEST_LIST:
        raise UnreadableError("their list is missing or too long")
    for code, named, _ in pickletools.genops(archive.read(lists[0])):
        by_stack = code.name in ("STACK_GLOBAL", "INST") or code.name.startswith("EXT")
        if by_stack or code.name == "GLOBAL" and not _PARTS.fullmatch(str(named)):
            raise UnreadableError(
                f"they hold {shortened(named or 'code', 80)}, which is not a weight"
            )


def misfit(state: dict[str, Any], module: nn.Module) -> str | None:
    """Say in what weights and module differ, if they do."""
    wanted = {k: v for k, v in module.state_dict().items() if isinstance(v, Tensor)}
    missing, more = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or more:
        lacks = f"it lacks {shortened(', '.join(missing[:3]), 100)}" if missing else ""
        has = f"it has {shortened(', '.join(more[:3]), 100)}" if more else ""
        return " and ".join(filter(None, [lacks, has]))
    for name, weight in wanted.items():
        given = state[name]
        if not isinstance(given, Tensor) or given.layout != torch.strided or given.is_meta:
            return f"{name} is not an array of numbers"
        if given.shape != weight.shape:
            return f"{name} has shape {tuple(given.shape)} for {tuple(weight.shape)}"
        if _kind(given) != _kind(weight):
            return f"{name} has dtype {given.dtype} for {weight.dtype}"
    return None


def _kind(weight: Tensor) -> tuple[bool, bool]:
    return weight.is_floating_point(), weight.is_complex()


def fill(module: nn.Module, state: dict[str, Any], origin: str) -> None:
    """Load weights into a module.

    Parameters
    ----------
    module : torch.nn.Module
        What to fill, in place.
    state : dict
        Weights by name.
    origin : str
        Where they are from, for the messages.
    """
    strange = [
        name for name, weight in state.items() if isinstance(weight, Tensor) and weight.is_meta
    ]
    try:
        if strange:
            raise RuntimeError(f"{strange[0]} holds no numbers")
        module.load_state_dict(state)
    except Exception as error:  # a module of the user's may read its weights in its own way
        raise ValueError(
            f"the weights {origin} do not fit the module ({shortened(error)}): give the module "
            "that they were saved with."
        ) from error
    name = bad_weight(module)
    if name is not None:
        raise ValueError(
            f"the weights {origin} hold NaN or infinite numbers in {name}, and a net with them "
            "predicts nothing: train it again, with a smaller lr, and save it."
        )


def bad_weight(module: nn.Module) -> str | None:
    """Name of a weight with NaN or infinite numbers; what is not trained may be infinite."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return next((name for name, weight in named if _is_bad(weight)), None)


def _is_bad(weight: Tensor) -> bool:
    numbers = weight.is_floating_point() or weight.is_complex()
    if is_lazy(weight) or not numbers or weight.layout != torch.strided:
        return False
    values = weight.detach()
    return bool(values.isnan().any() or (weight.requires_grad and values.isinf().any()))
