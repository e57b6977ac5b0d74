"""Nets on disk: a zip of JSON parameters and a state dict, and no pickle of code."""

import io
import json
import zipfile
from importlib import import_module

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .._version import __version__

__all__ = ["load_net", "save_net"]

_TRUSTED = ("sklearn_robust.", "torch.", "builtins.")


def _name_of(cls):
    return f"{cls.__module__}:{cls.__qualname__}"


def _encode(name, value):
    """JSON form of a parameter."""
    if isinstance(value, type):
        return {"class": _name_of(value)}
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        return {"object": _name_of(type(value)), "params": _encode_all(params)}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_encode(name, item) for item in value]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"parameter {name}={value!r} cannot be written as JSON; save the net with joblib, or set "
        f"net.{name} to a plain value before net.save."
    )


def _encode_all(params):
    return {name: _encode(name, value) for name, value in params.items()}


def _class_of(name):
    if not name.startswith(_TRUSTED):
        raise ValueError(
            f"the file names the class {name!r}, which is not imported from a file unasked: give "
            "it as a parameter, load_net(path, module=YourModule)."
        )
    module, _, qualified = name.partition(":")
    found = import_module(module)
    for part in qualified.split("."):
        found = getattr(found, part)
    return found


def _decode(value):
    if not isinstance(value, dict):
        return value
    if "class" in value:
        return _class_of(value["class"])
    if "object" in value:
        params = {name: _decode(item) for name, item in value["params"].items()}
        return _class_of(value["object"])(**params)
    if "array" in value:
        return np.asarray(value["array"], dtype=value["dtype"])
    ((kind, items),) = value.items()
    return {"list": list, "tuple": tuple}[kind](_decode(item) for item in items)


def _changed_params(net):
    """Parameters that differ from their defaults; callbacks only serve training."""
    default = type(net)().get_params(deep=False)
    params = net.get_params(deep=False)
    return {
        name: value
        for name, value in params.items()
        if not name.startswith("callbacks")
        and (name not in default or not _same(value, default[name]))
    }


def _same(a, b):
    return a is b or (type(a) is type(b) and isinstance(a, (int, float, str, bool)) and a == b)


def save_net(net, path):
    """Write a fitted net; see ``BaseNet.save``."""
    params = _changed_params(net)
    if isinstance(params.get("module"), torch.nn.Module):
        params["module"] = type(params["module"])
    about = {
        "format": 1,
        "sklearn_robust": __version__,
        "torch": torch.__version__,
        "net": _name_of(type(net)),
        "params": _encode_all(params),
        "classes": _encode("classes", net.classes_),
        "input_shape": None if net.input_shape_ is None else list(net.input_shape_),
        "history": [{k: v for k, v in row.items() if k != "batches"} for row in net.history],
    }
    state = io.BytesIO()
    torch.save(net.module_.state_dict(), state)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net.json", json.dumps(about, indent=1))
        archive.writestr("weights.pt", state.getvalue())


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
        Predicts as the saved one did, on the device that ``device`` asks for.

    Raises
    ------
    ValueError
        If the file is no saved net, or names a class from elsewhere.

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
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("net.json"))
            weights = io.BytesIO(archive.read("weights.pt"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is not a net written by net.save(path).") from error
    cls = _class_of(about["net"])
    saved = {k: _decode(v) for k, v in about["params"].items() if k not in params}
    net = cls(**{**saved, **params})
    net.labels_ = _decode(about["classes"])
    net.input_shape_ = None if about["input_shape"] is None else tuple(about["input_shape"])
    net.extremes_ = None
    if net.input_shape_ is not None:
        net.n_features_in_ = net.input_shape_[0]
    net.initialize()
    state = torch.load(weights, map_location=net.device_, weights_only=True)
    net.module_.load_state_dict(state)
    net.module_.eval()
    for row in about["history"]:
        net.history.new_epoch()
        for key, value in row.items():
            net.history.record(key, value)
    return net
