"""Nets on disk: a zip of JSON parameters and a state dict, and no pickle of code."""

import io
import json
import numbers
import os
import zipfile
from importlib import import_module

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch import NeuralNet
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from ..._random import torch_seed
from ..._version import __version__
from ...attacks._base import BaseAttack
from .._engine.device import resolve_device
from .atomic_write import atomic_write

__all__ = ["bare", "load_net", "read_weights", "revive", "save_net"]

# What a file may name: classes of these kinds from these packages. All else could run code.
_KINDS = (NeuralNet, BaseAttack, nn.Module, torch.optim.Optimizer)
_PACKAGES = ("sklearn_robust", "torch.nn", "torch.optim")

_CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}

_ONLY_TRAINING = {"augment", "init_from", "random_state", "train_split"}  # objects stay behind


def _name_of(cls):
    return f"{cls.__module__}:{cls.__qualname__}"


def _is_known(module):
    return any(f"{module}.".startswith(f"{package}.") for package in _PACKAGES)


def _encode(name, value):
    """JSON form of a parameter."""
    if isinstance(value, nn.Module):
        return {"instance": _name_of(type(value))}
    if isinstance(value, type):
        return {"class": _name_of(value)}
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        return {"object": _name_of(type(value)), "params": _encode_all(params)}
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
            return {kind: [_encode(name, item) for item in items]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"parameter {name}={value!r} cannot be written as JSON; save the net with joblib, or set "
        f"net.{name} to a plain value before net.save."
    )


def _encode_all(params):
    return {name: _encode(name, value) for name, value in params.items()}


def _class_of(name, param):
    module, _, qualified = str(name).partition(":")
    if _is_known(module):
        try:
            found = getattr(import_module(module), qualified)
        except (ImportError, AttributeError):
            found = None
        # Its own name, not that of something which the module happens to import.
        if isinstance(found, type) and issubclass(found, _KINDS) and _name_of(found) == name:
            return found
    raise ValueError(
        f"the file names the class {name!r} as {param}, which is not imported from a file unasked: "
        f"give it as a parameter, load_net(path, {param}=YourClass)."
    )


def _decode(value, param):
    if not isinstance(value, dict):
        return value
    if "instance" in value:
        raise ValueError(
            f"the net was given a ready {param}, a {value['instance']}, and the file holds its "
            f"weights alone, if any: build it again and give it, load_net(path, {param}=...)."
        )
    if "class" in value:
        return _class_of(value["class"], param)
    if "object" in value:
        params = {name: _decode(item, name) for name, item in value["params"].items()}
        return _class_of(value["object"], param)(**params)
    if "array" in value:
        return np.asarray(value["array"], dtype=value["dtype"])
    if "tensor" in value:
        return torch.tensor(value["tensor"], dtype=getattr(torch, value["dtype"]))
    ((kind, items),) = value.items()
    return _CONTAINERS[kind](_decode(item, param) for item in items)


def _changed_params(net):
    """Parameters that differ from their defaults; callbacks only serve training."""
    default = type(net)().get_params(deep=False)
    params = net.get_params(deep=False)
    return {
        name: value
        for name, value in params.items()
        if not name.startswith("callbacks")
        and not _stays_behind(name, value)
        and (name not in default or not _same(value, default[name]))
    }


def _stays_behind(name, value):
    """Whether a parameter only serves training and is an object that no text can hold."""
    training = name in _ONLY_TRAINING or name.startswith("iterator_")
    return training and not isinstance(value, (numbers.Real, str, os.PathLike))


def _same(a, b):
    return a is b or (type(a) is type(b) and isinstance(a, (int, float, str, bool)) and a == b)


def revive(net, labels, input_shape):
    """Make a new net a fitted one without training it; its weights are the module's own."""
    net.labels_, net.input_shape_, net.extremes_ = labels, input_shape, None
    if input_shape is not None:
        net.n_features_in_ = input_shape[0]
    with torch_seed(0, resolve_device(net.device)):
        net.initialize()
    net.module_.eval()
    return net


def save_net(net, path):
    """Write a fitted net; see ``BaseNet.save``."""
    if not _is_known(type(net).__module__):
        raise TypeError(
            f"a file can name the nets of sklearn_robust alone, and this is a "
            f"{type(net).__name__} of {type(net).__module__}: keep it with joblib.dump."
        )
    params, columns = _changed_params(net), getattr(net, "feature_names_in_", None)
    about = {
        "format": 1,
        "sklearn_robust": __version__,
        "torch": torch.__version__,
        "net": _name_of(type(net)),
        "params": _encode_all(params),
        "classes": _encode("classes", net.classes_),
        "input_shape": None if net.input_shape_ is None else list(net.input_shape_),
        "columns": columns if columns is None else list(columns),
        "history": [
            {key: _encode(key, value) for key, value in row.items() if key != "batches"}
            for row in net.history
        ],
    }
    state = io.BytesIO()
    torch.save(bare(net.module_).state_dict(), state)
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net.json", json.dumps(about, indent=1))
        archive.writestr("weights.pt", state.getvalue())


def _read(path):
    """Read what a file says about its net, and its weights, still packed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("net.json")), io.BytesIO(archive.read("weights.pt"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is not a net written by net.save(path).") from error


def bare(module):
    """Take a compiled module out of its wrapper, which would stand before each weight's name."""
    return getattr(module, "_orig_mod", module)


def _unpacked(weights, device):
    state = torch.load(weights, map_location=device, weights_only=True)
    consume_prefix_in_state_dict_if_present(state, "_orig_mod.")  # of compiled nets, once
    return state


def read_weights(path):
    """Read the labels (n_classes,) and the state dict of a saved net."""
    about, weights = _read(path)
    return _decode(about["classes"], "classes"), _unpacked(weights, "cpu")


def load_net(path, **params):
    """Read a net written by ``net.save``.

    Parameters
    ----------
    path : str or path-like
        The file.
    **params
        Parameters in place of the saved ones; ``module=YourModule`` is needed for a module
        class that neither this package nor torch defines, since a file is not trusted to name
        code.

    Returns
    -------
    net : fitted net
        Predicts as the saved one did, on the device that ``device`` asks for. What only training
        needs and no text can hold stayed behind: callbacks, transforms and splits that are
        objects, and the optimiser's moments. To train on as before, pickle the net.

    Raises
    ------
    ValueError
        If the file is no saved net, names a class from elsewhere, or holds weights that do not
        fit the module.

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
    about, weights = _read(path)
    cls = _class_of(about["net"], "the net")
    saved = {k: _decode(v, k) for k, v in about["params"].items() if k not in params}
    labels, shape = _decode(about["classes"], "classes"), about["input_shape"]
    net = revive(cls(**{**saved, **params}), labels, shape and tuple(shape))
    if about.get("columns") is not None:
        net.feature_names_in_ = np.asarray(about["columns"], dtype=object)
    try:
        bare(net.module_).load_state_dict(_unpacked(weights, net.device_))
    except RuntimeError as error:
        raise ValueError(f"the weights in {path} do not fit the module: {error}") from error
    for row in about["history"]:
        net.history.new_epoch()
        for key, value in row.items():
            net.history.record(key, _decode(value, key))
    return net
