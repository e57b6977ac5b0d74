"""Nets on disk: a zip of JSON parameters and a state dict, and no pickle of code."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..._parameters import check_path, shown
from ..._random import torch_seed
from ..._version import __version__
from .._engine.device import resolve_device
from .._engine.parameters import check_shared
from .json_form import check_lengths, decode, encode, encode_all, shortened
from .known_classes import KnownClasses, full_name, is_known_module
from .net_file import NetFile, bare, check_columns, opened, write_net_file
from .packed_weights import fill, misfit
from .size_bounds import Bounded, TooLargeError, build_without_memory, size_of

__all__ = ["bare", "load_net", "read_weights", "revive", "save_net"]

_ONLY_TRAINING = {"augment", "init_from", "random_state", "train_split"}  # objects stay behind
# What a file may not set: what compiles, calls, starts processes, or writes and reads files.
_NOT_PORTABLE = {
    "callbacks",
    "checkpoint",
    "compile",
    "dataset",
    "iterator_train",
    "iterator_valid",
    "torch_load_kwargs",
}
_PORTABLE_AFTER_ALL = {
    f"iterator_{part}__{name}"
    for part in ("train", "valid")
    for name in ("batch_size", "drop_last", "shuffle")
}
# Weights may differ in size from their module by so many times and bytes, before all is compared.
_TIMES, _BYTES = 8, 2**20
_OPS_OF_OTHERS = 20_000  # for what else a module of the user's computes when it is built


def _is_portable(name: str) -> bool:
    """Whether a file may hold a parameter."""
    refused = name.partition("__")[0] in _NOT_PORTABLE or name.endswith("_")
    return not refused or name in _PORTABLE_AFTER_ALL


def _changed_params(net: Any) -> dict[str, Any]:
    """Parameters that differ from their defaults and that a file may hold."""
    default = type(net)().get_params(deep=False)
    params = net.get_params(deep=False)
    return {
        name: value
        for name, value in params.items()
        if not _stays_behind(name, value)
        and (name not in default or not _same(value, default[name]))
    }


def _stays_behind(name: str, value: Any) -> bool:
    """Whether a parameter is the machine's, or an object that only serves training."""
    training = name in _ONLY_TRAINING and not isinstance(value, (numbers.Real, str, os.PathLike))
    return training or not _is_portable(name)


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, (int, float, str, bool)) and a == b)


def revive(net: Any, labels: NDArray, input_shape: tuple[int, ...] | None) -> Any:
    """Make a new net a fitted one without training it; its weights are the module's own."""
    net.labels_, net.input_shape_, net.extremes_ = labels, input_shape, None
    if input_shape is not None:
        net.n_features_in_ = input_shape[0]
    with torch_seed(0, resolve_device(net.device)):
        net.initialize()
    net.module_.eval()
    return net


def save_net(net: Any, path: str | os.PathLike) -> None:
    """Write a fitted net; see ``BaseNet.save``."""
    check_path("path", path)
    params, columns = _changed_params(net), net.__dict__.get("feature_names_in_")
    check_lengths(net.classes_, "the net")
    check_columns(columns, "the net")
    about = {
        "sklearn_robust": __version__,
        "torch": torch.__version__,
        "net": full_name(type(net)),
        "params": encode_all(params),
        "classes": encode("classes", net.classes_),
        "input_shape": None if net.input_shape_ is None else list(net.input_shape_),
        "columns": columns if columns is None else list(columns),
        "history": [
            {key: encode(key, value) for key, value in row.items() if key != "batches"}
            for row in net.history
        ],
    }
    write_net_file(path, about, bare(net.module_))


def read_weights(path: str | os.PathLike, module: nn.Module) -> tuple[NDArray, dict[str, Any]]:
    """Read the labels (n_classes,) of a saved net, and its state dict for a module."""
    with opened(path) as file:
        _compare_sizes(file, module)
        return file.labels, file.weights()


def load_net(
    path: str | os.PathLike, *, classes: Sequence[Any] | None = None, **params: Any
) -> Any:
    """Read a net written by ``net.save``.

    Parameters
    ----------
    path : str or path-like
        The file.
    classes : list of types, default=None
        Classes of your own that the file may name: of the net, its module, attack or optimiser. A
        file is not trusted to import code, so they are given. A class counts as the file's when
        its qualified name is the same, whatever its module is called now. A list of labels is
        the net's parameter ``classes``, as everywhere.
    **params
        Parameters in place of the saved ones; ``module=YourModule`` is another way to give a
        module class that neither this package nor torch defines.

    Returns
    -------
    net : fitted net
        Predicts as the saved one did, on the device that ``device`` asks for. What only training
        needs and no text can hold stayed behind: callbacks, transforms and splits that are
        objects, and the optimiser's moments. So did what belongs to a machine: ``compile``,
        ``checkpoint`` and the workers of data loaders. To train on as before, pickle the net.

    Raises
    ------
    ValueError
        If the file holds no net, names a class from elsewhere that is not given, does not name
        one that is given, or holds weights that do not fit the module or are not finite.
    OSError
        If there is no such file, or it cannot be read.

    Notes
    -----
    A file of unknown origin runs no code. It can choose among the nets, modules and attacks of
    this library, torch's plain layers, losses and optimisers, and the classes that you give; it
    cannot import anything, set compile options, callbacks, data loaders or folders to write to,
    or hold functions. It takes no more memory than its size accounts for: its text is limited to
    16 MB, nothing is unpacked to more than 60 times what it takes (beyond 32 MB), and a module
    that is larger than its weights is not built. It can still name a file as ``init_from``,
    which the next ``fit`` reads in the same way; and its predictions, parameters and history are
    what its writer wanted them to be.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn_robust import NaturalNet, load_net
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(100, random_state=0)
    >>> net = NaturalNet(max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     net.save(os.path.join(folder, "moons.net"))
    ...     again = load_net(os.path.join(folder, "moons.net"))
    >>> bool((again.predict(X) == net.predict(X)).all())
    True
    """
    own, labels = _split_classes(classes)
    params = {**labels, **params}
    with opened(path) as file:
        known = KnownClasses(own)
        cls = known.find(file.about["net"], "the net")
        saved = {
            name: decode(value, name, known)
            for name, value in file.about["params"].items()
            if name not in params and _is_portable(name)
        }
        known.check_used()
        net = _filled(cls, {**saved, **params}, file, cls in own)
        _remember(net, file)
    return net


def _split_classes(classes: Any) -> tuple[list[type], dict[str, Any]]:
    """Tell the classes that a file may name from the labels of a net."""
    if isinstance(classes, type):
        return [classes], {}
    array = isinstance(classes, np.ndarray) and classes.ndim == 1
    if classes is not None and not array and not isinstance(classes, (list, tuple, set)):
        raise TypeError(
            f"classes is {shown(classes)}; give a list of the classes that the file may name, or "
            "of the net's labels."
        )
    given = [] if classes is None else list(classes)
    types = [item for item in given if isinstance(item, type)]
    if types and len(types) < len(given):
        raise TypeError(
            f"classes holds types and other things, {given!r:.80}; give the classes that the file "
            "may name, or the labels of the net."
        )
    return types, {} if types or classes is None else {"classes": classes}


@contextmanager
def _said_of(path: Any) -> Iterator[None]:
    """Say of any error that a net is built from a file."""
    try:
        yield
    except Exception as error:  # whatever constructors make of a stranger's values
        raise ValueError(
            f"the net in {path} cannot be built ({shortened(error)}): give parameters in place of "
            "the saved ones, load_net(path, name=value)."
        ) from error


def _filled(cls: type, params: dict[str, Any], file: NetFile, own: bool) -> Any:
    """Make the net that a file describes, once it is known to be as large as its weights.

    Parameters
    ----------
    cls : type
        The net's class.
    params : dict
        Its parameters.
    file : NetFile
        The file.
    own : bool
        Whether the class is the caller's, and may build a module in any way.
    """
    with _said_of(file.path):
        net = cls(**params)
        if resolve_device(net.device).type == "meta":
            raise ValueError("the device 'meta' holds no numbers")
        check_shared(net)
    plain = not own and is_known_module(net.module)
    if plain:
        state = _weights_of(_dry_module(cls(**params), file), file)
    else:
        state = file.weights()
    bounds: AbstractContextManager[Any] = nullcontext()
    if not plain and not isinstance(net.module, nn.Module):
        size = file.weights_size
        bounds = Bounded(size, _OPS_OF_OTHERS, most_numbers=_TIMES * size + _BYTES)
    with _said_of(file.path), bounds:
        net = revive(net, file.labels, file.input_shape)
    fill(bare(net.module_), state, f"in {file.path}")
    return net


def _dry_module(net: Any, file: NetFile) -> nn.Module:
    """Build the module that a file describes without memory."""
    net.labels_, net.input_shape_ = file.labels, file.input_shape
    try:
        with torch_seed(0):
            return build_without_memory(net, file.weights_size)
    except TooLargeError as error:
        raise ValueError(
            f"{file.path} describes a module that does not fit its weights, since {error}: load "
            "another file, or save the net again."
        ) from error
    except Exception as error:  # whatever constructors make of a stranger's values
        raise ValueError(
            f"{file.path} describes a module that cannot be built ({shortened(error)}): give "
            "parameters in place of the saved ones, load_net(path, module__name=value)."
        ) from error


def _weights_of(module: nn.Module, file: NetFile) -> dict[str, Any]:
    """Read the weights of a module that has no memory yet."""
    _compare_sizes(file, module)
    state = file.weights()
    difference = misfit(state, module)
    if difference is not None:
        raise ValueError(
            f"the weights in {file.path} do not fit the module, since {difference}: give the "
            "module that they were saved with, or save the net again."
        )
    return state


def _compare_sizes(file: NetFile, module: nn.Module) -> None:
    """Raise if the weights in a file are of another order of size than their module."""
    wanted, given = size_of(module), file.weights_size
    if wanted is not None and (
        wanted > _TIMES * given + _BYTES or given > _TIMES * wanted + _BYTES
    ):
        raise ValueError(
            f"the weights in {file.path} do not fit the module, since they take {given} bytes and "
            f"the module {wanted}: load another file, or give the module that they were saved with."
        )


def _remember(net: Any, file: NetFile) -> None:
    """Give a net the names of columns and the history that a file holds."""
    if file.columns is not None:
        net.feature_names_in_ = np.asarray(file.columns, dtype=object)
    for row in file.history():
        net.history.new_epoch()
        for key, value in row.items():
            net.history.record(key, value)
