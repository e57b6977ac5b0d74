"""Nets on disk: a zip of JSON parameters and a state dict, and no pickle of code."""

from __future__ import annotations

import io
import json
import numbers
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from ..._parameters import check_path, shown
from ..._random import torch_seed
from ..._version import __version__
from .._engine.device import resolve_device
from .atomic_write import atomic_write
from .json_form import KnownClasses, decode, encode, encode_all, full_name

__all__ = ["bare", "load_net", "read_weights", "revive", "save_net"]

_ONLY_TRAINING = {"augment", "init_from", "random_state", "train_split"}  # objects stay behind


def _changed_params(net: Any) -> dict[str, Any]:
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


def _stays_behind(name: str, value: Any) -> bool:
    """Whether a parameter only serves training and is an object that no text can hold."""
    training = name in _ONLY_TRAINING or name.startswith("iterator_")
    return training and not isinstance(value, (numbers.Real, str, os.PathLike))


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
    about = {
        "format": 1,
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
    state = io.BytesIO()
    torch.save(bare(net.module_).state_dict(), state)
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net.json", json.dumps(about, indent=1))
        archive.writestr("weights.pt", state.getvalue())


def _read(path: str | os.PathLike) -> tuple[dict[str, Any], io.BytesIO]:
    """Read what a file says about its net, and its weights, still packed."""
    check_path("path", path)
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("net.json")), io.BytesIO(archive.read("weights.pt"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is not a net written by net.save(path).") from error


def bare(module: nn.Module) -> nn.Module:
    """Take a compiled module out of its wrapper, which would stand before each weight's name."""
    return vars(module)["_modules"].get("_orig_mod", module)


def _unpacked(weights: io.BytesIO, device: Any) -> dict[str, Any]:
    state = torch.load(weights, map_location=device, weights_only=True)
    consume_prefix_in_state_dict_if_present(state, "_orig_mod.")  # of compiled nets, once
    return state


def read_weights(path: str | os.PathLike) -> tuple[NDArray, dict[str, Any]]:
    """Read the labels (n_classes,) and the state dict of a saved net."""
    about, weights = _read(path)
    return decode(about["classes"], "classes"), _unpacked(weights, "cpu")


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
        objects, and the optimiser's moments. To train on as before, pickle the net.

    Raises
    ------
    ValueError
        If the file is no saved net, names a class from elsewhere that is not given, does not name
        one that is given, or holds weights that do not fit the module.

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
    about, weights = _read(path)
    known = KnownClasses(own)
    cls = known.find(about["net"], "the net", (NeuralNet,))
    saved = {k: known.decode(v, k) for k, v in about["params"].items() if k not in params}
    known.check_used()
    return _filled(cls(**{**saved, **params}), about, weights, path)


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


def _filled(net: Any, about: dict[str, Any], weights: Any, path: Any) -> Any:
    """Make a new net the fitted one that a file describes."""
    labels, shape = decode(about["classes"], "classes"), about["input_shape"]
    net = revive(net, labels, shape and tuple(shape))
    if about.get("columns") is not None:
        net.feature_names_in_ = np.asarray(about["columns"], dtype=object)
    try:
        bare(net.module_).load_state_dict(_unpacked(weights, net.device_))
    except RuntimeError as error:
        raise ValueError(f"the weights in {path} do not fit the module: {error}") from error
    for row in about["history"]:
        net.history.new_epoch()
        for key, value in row.items():
            net.history.record(key, decode(value, key))
    return net
