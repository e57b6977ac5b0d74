"""JSON form of parameters: written, and read as by a stranger."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from .known_classes import KnownClasses, full_name

__all__ = [
    "check_lengths",
    "decode",
    "decode_labels",
    "encode",
    "encode_all",
    "from_json",
    "shortened",
    "to_json",
]

_CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}
_DEEPEST = 24  # values within values

# Of a text of this size, and with so many values, Python makes some 150 MB at most.
_LARGEST = 16 * 2**20
_MOST = {b"[": 2**18, b"{": 2**18, b'"': 2**20}
_LARGEST_ARRAY = 2**26

_TENSOR_TYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in vars(torch).values()
    if isinstance(dtype, torch.dtype) and (dtype.is_floating_point or dtype.is_complex)
} | {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
}

_LONGEST_LABEL = 10_000  # characters


def shortened(text: Any, size: int = 300) -> str:
    """Text of an error or a value in one line of limited length."""
    line = " ".join(str(text)[: 4 * size].split())
    return line if len(line) <= size else f"{line[:size]}..."


# -- writing ---------------------------------------------------------------------------------------


def encode(name: str, value: Any) -> Any:
    """JSON form of a parameter."""
    if isinstance(value, nn.Module):
        return {"instance": full_name(type(value))}
    if isinstance(value, type):
        return {"class": full_name(value)}
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        return {"object": full_name(type(value)), "params": encode_all(params)}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return {"tensor": value.tolist(), "dtype": kind}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    value = list(value) if isinstance(value, range) else value
    for kind, container in _CONTAINERS.items():
        if isinstance(value, container):
            items = value.items() if kind == "dict" else value
            return {kind: [encode(name, item) for item in items]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"parameter {name}={value!r} cannot be written as JSON; save the net with joblib, or set "
        f"net.{name} to a plain value before net.save."
    )


def encode_all(params: dict[str, Any]) -> dict[str, Any]:
    return {name: encode(name, value) for name, value in params.items()}


def to_json(about: dict[str, Any]) -> str:
    """Text of a description, refused if it is one that no file may hold."""
    text = json.dumps(about, indent=1)
    if too_much := _too_much(text.encode()):
        raise ValueError(
            f"the parameters of this net take {too_much}, more than a saved net may hold; save "
            "the net with joblib, or set the largest ones to plain values before net.save."
        )
    return text


def _too_much(text: bytes | bytearray) -> str | None:
    """Say what a text has too much of."""
    if len(text) > _LARGEST:
        return f"{len(text) / 2**20:.0f} MB of JSON"
    for mark, most in _MOST.items():
        if text.count(mark) > most:
            return f"{text.count(mark)} values in JSON"
    return None


# -- reading ---------------------------------------------------------------------------------------


def from_json(text: bytes | bytearray, path: Any) -> dict[str, Any]:
    """Read the description in a file, within bounds."""
    if too_much := _too_much(text):
        raise ValueError(
            f"{path} holds {too_much}, more than net.save writes: load another file, or save the "
            "net again."
        )
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise ValueError(
            f"{path} is not a net written by net.save(path): its net.json holds no description; "
            "save the net again."
        )
    return about


def decode(value: Any, param: str, known: KnownClasses, depth: int = 0) -> Any:
    """Return a parameter of its JSON form.

    Parameters
    ----------
    value : object
        What the file holds.
    param : str
        Name of the parameter, for the messages.
    known : KnownClasses
        Classes that the file may name.
    depth : int, default=0
        How many values are around this one.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    name = shortened(param, 50)
    if not isinstance(value, dict) or depth > _DEEPEST:
        raise ValueError(f"the file holds a {name} that net.save does not write; {_give(name)}.")
    if "instance" in value:
        raise ValueError(
            f"the net was given a ready {name}, a {shortened(value['instance'], 80)}, and the file "
            f"holds its weights alone, if any: build it again and give it, load_net(path, "
            f"{name}=...)."
        )
    kinds = value.keys()
    if kinds == {"class"}:
        return known.find(value["class"], param)
    if kinds == {"object", "params"} and isinstance(value["params"], dict):
        return _decode_attack(value, name, known, depth)
    if kinds == {"array", "dtype"}:
        return _decode_array(value, name)
    if kinds == {"tensor", "dtype"}:
        return _decode_tensor(value, name)
    kind, items = next(iter(value.items()), ("", None))
    if len(value) != 1 or kind not in _CONTAINERS or not isinstance(items, list):
        raise ValueError(f"the file holds a {name} that net.save does not write; {_give(name)}.")
    return _decode_container(kind, items, name, known, depth)


def _give(name: str) -> str:
    return f"give it in place of the saved one, load_net(path, {name}=...)"


def _decode_attack(value: dict, name: str, known: KnownClasses, depth: int) -> Any:
    cls = known.find_attack(value["object"], name)
    params = {key: decode(item, key, known, depth + 1) for key, item in value["params"].items()}
    try:
        return cls(**params)
    except Exception as error:  # whatever a constructor makes of a stranger's values
        raise ValueError(
            f"the file describes {name} as a {cls.__name__} that cannot be made "
            f"({shortened(error)}); {_give(name)}."
        ) from error


def _decode_container(kind: str, items: list, name: str, known: KnownClasses, depth: int) -> Any:
    found = [decode(item, name, known, depth + 1) for item in items]
    try:
        return _CONTAINERS[kind](found)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the file holds a {name} that is no {kind}; {_give(name)}.") from error


def _decode_array(value: dict, name: str) -> NDArray[Any]:
    """Make an array of numbers, or of labels."""
    try:
        if not isinstance(value["dtype"], str) or len(value["dtype"]) > 20:
            raise TypeError("its dtype has no name")
        dtype = np.dtype(value["dtype"])
        if dtype.kind == "U":
            array = np.asarray(value["array"], dtype=object)
            if not all(isinstance(item, str) for item in array.flat):
                raise TypeError("it holds more than text")
            if array.size * dtype.itemsize > _LARGEST_ARRAY:
                raise TypeError("it is too large")
            return array.astype(dtype)
        if dtype.kind not in "biufO":
            raise TypeError(f"its dtype is {shortened(dtype, 50)}")
        array = np.asarray(value["array"], dtype=dtype)
        if dtype.kind == "O" and not all(map(_is_scalar, array.flat)):
            raise TypeError("it holds objects")
    except (TypeError, ValueError, OverflowError, RecursionError, SyntaxError) as error:
        raise ValueError(
            f"the file's {name} is not an array ({shortened(error, 100)}); {_give(name)}."
        ) from error
    return array


def _is_scalar(item: Any) -> bool:
    return isinstance(item, (bool, int, float, str))


def _decode_tensor(value: dict, name: str) -> torch.Tensor:
    kind = _TENSOR_TYPES.get(value["dtype"]) if isinstance(value["dtype"], str) else None
    if kind is None:
        raise ValueError(
            f"the file's {name} has the dtype {shortened(value['dtype'], 50)!r}, which is none of "
            f"torch's; {_give(name)}."
        )
    try:
        return torch.tensor(value["tensor"], dtype=kind)
    except Exception as error:  # of many kinds: text, ragged lists, numbers beyond the dtype
        raise ValueError(
            f"the file's {name} is not a tensor ({shortened(error, 100)}); {_give(name)}."
        ) from error


def decode_labels(value: Any, path: Any) -> NDArray[Any]:
    """Return the labels (n_classes,) of their JSON form."""
    array = isinstance(value, dict) and value.keys() == {"array", "dtype"}
    labels = _decode_array(value, "classes") if array else None
    if labels is None or labels.ndim != 1 or not len(labels) or _has_repeated(labels):
        raise ValueError(
            f"{path} holds no list of different labels; save the net again by net.save(path)."
        )
    check_lengths(labels, path)
    return labels


def check_lengths(labels: NDArray[Any], who: Any) -> None:
    """Raise if a label is longer than any name."""
    longest = max((len(label) for label in labels.tolist() if isinstance(label, str)), default=0)
    if longest > _LONGEST_LABEL:
        raise ValueError(
            f"{who} has a label of {longest} characters, and a label may have {_LONGEST_LABEL}: "
            "train the net on shorter ones."
        )


def _has_repeated(labels: NDArray[Any]) -> bool:
    return len(set(labels.tolist())) < len(labels)
