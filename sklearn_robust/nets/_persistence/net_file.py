"""File of a net: a zip of a JSON description and packed weights, read as by a stranger."""

from __future__ import annotations

import io
import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import torch
from torch import nn

from ..._archive import Archive, UnreadableError, is_within_bounds, open_file
from .atomic_write import atomic_write
from .json_form import decode, decode_labels, from_json, shortened, to_json
from .known_classes import KnownClasses
from .packed_weights import bad_weight, unpack

__all__ = ["NetFile", "bare", "check_columns", "opened", "write_net_file"]

_ABOUT, _WEIGHTS = "net.json", "weights.pt"
_FORMAT = 1
_PARTS = {"net": object, "params": dict, "classes": object, "input_shape": object, "history": list}
_MOST_AXES, _LARGEST_AXIS = 8, 2**31


def bare(module: nn.Module) -> nn.Module:
    """Take a compiled module out of its wrapper, which would stand before each weight's name."""
    return dict(module.named_children()).get("_orig_mod", module)


def write_net_file(path: str | os.PathLike, about: dict[str, Any], module: nn.Module) -> None:
    """Write the description and the weights of a net to one file."""
    name = bad_weight(module)
    if name is not None:
        raise ValueError(
            f"the net has NaN or infinite numbers in {name}, and load_net refuses a file with "
            "them: train the net again, with a smaller lr, before net.save."
        )
    text, state = to_json({"format": _FORMAT, **about}), io.BytesIO()
    torch.save(module.state_dict(), state)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        with atomic_write(path) as file, zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr(_ABOUT, text)
            archive.writestr(_WEIGHTS, state.getvalue())
            members = archive.infolist()
        if all(is_within_bounds(member.file_size, member.compress_size) for member in members):
            break  # else what is almost empty is kept unpacked, since reading refuses bombs


def check_columns(columns: Any, who: Any) -> None:
    """Raise if names of columns repeat."""
    counts = Counter([] if columns is None else list(columns))
    repeated = next((name for name, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise ValueError(
            f"{who} has several columns named {shortened(repeated, 50)}: rename them, and fit and "
            "save the net again."
        )


@contextmanager
def opened(path: str | os.PathLike) -> Iterator[NetFile]:
    """Open a saved net for reading."""
    with open_file(path, "give a file written by net.save(path)") as stream:
        yield NetFile(stream, path)


class NetFile:
    """A saved net, whose weights are not read before they are asked for.

    Parameters
    ----------
    stream : binary file
        What holds it.
    path : str or path-like
        Its path, for the messages.

    Attributes
    ----------
    about : dict
        Checked description, still in JSON's form.
    labels : array of shape (n_classes,)
        Labels.
    input_shape : tuple of int or None
        Shape of one sample.
    columns : list of str or None
        Names of the features.
    weights_size : int
        Bytes of the packed weights.
    """

    def __init__(self, stream: IO[bytes], path: str | os.PathLike) -> None:
        self.path = path
        try:
            self._archive = Archive(stream)
            self.weights_size = self._archive.size(_WEIGHTS)
            text = self._archive.read(_ABOUT).getbuffer()
        except UnreadableError as error:
            raise ValueError(
                f"{path} is not a net written by net.save(path), since {error}: give another file, "
                "or save the net again."
            ) from error
        self.about = from_json(bytes(text), path)
        self._check_parts()
        self.labels = decode_labels(self.about["classes"], path)
        self.input_shape = self._shape()
        self.columns = self._columns()

    def weights(self) -> dict[str, Any]:
        """Unpack the state dict."""
        try:
            packed = self._archive.read(_WEIGHTS)
        except UnreadableError as error:
            raise ValueError(
                f"the weights in {self.path} cannot be read, since {error}: save the net again."
            ) from error
        return unpack(packed, self.path)

    def history(self) -> list[dict[str, Any]]:
        """Decode what each epoch left."""
        known = KnownClasses()
        rows = self.about["history"]
        return [{key: decode(value, key, known) for key, value in row.items()} for row in rows]

    def _check_parts(self) -> None:
        about = self.about
        if about.get("format", _FORMAT) != _FORMAT:
            raise ValueError(
                f"{self.path} was written by another version of sklearn_robust: load it with "
                f"version {shortened(about.get('sklearn_robust'), 20)}, or save the net again."
            )
        for name, kind in _PARTS.items():
            if name not in about or not isinstance(about[name], kind):
                raise ValueError(
                    f"{self.path} is not a net written by net.save(path): its {name} is missing or "
                    "of a wrong kind; save the net again."
                )
        if not all(isinstance(row, dict) for row in about["history"]):
            raise ValueError(
                f"{self.path} is not a net written by net.save(path): its history is not a list of "
                "epochs; save the net again."
            )

    def _shape(self) -> tuple[int, ...] | None:
        shape = self.about["input_shape"]
        if shape is None:
            return None
        axes = isinstance(shape, list) and 0 < len(shape) <= _MOST_AXES
        if not axes or not all(type(n) is int and 0 < n < _LARGEST_AXIS for n in shape):
            raise ValueError(
                f"{self.path} says that a sample has the shape {shortened(shape, 50)}, which is "
                "not a list of sizes; save the net again by net.save(path)."
            )
        return tuple(shape)

    def _columns(self) -> list[str] | None:
        columns = self.about.get("columns")
        if columns is None:
            return None
        names = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
        if not names or self.input_shape is None or len(columns) != self.input_shape[0]:
            raise ValueError(
                f"{self.path} holds names of columns that are not those of its samples; save the "
                "net again by net.save(path)."
            )
        check_columns(columns, self.path)
        return columns
