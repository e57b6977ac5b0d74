"""Models of all kinds, read from a file or made by a function of the user's."""

from __future__ import annotations

import importlib.util
import warnings
import zipfile
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, is_classifier
from torch import nn

from .._validation import check_path
from ..nets import load_net
from ._settings import BadInput, blame_input

__all__ = ["call_function", "load_classifier", "load_model", "names_function"]

_HOLDS_CODE = "which may run any code that it holds; if you trust it, add --trust-pickle"


def names_function(text: str) -> bool:
    """Whether a text has the form ``file.py:function``."""
    file, _, name = text.rpartition(":")
    return file.endswith(".py") and name.isidentifier()


def call_function(text: str) -> Any:
    """Call the function that ``file.py:function`` names, and return what it returns.

    Parameters
    ----------
    text : str
        Path of a file of Python and the name of a function in it that takes no argument. Anything
        else of that name is returned as it is.

    Returns
    -------
    made : object
        Model or data.

    Raises
    ------
    BadInput
        If there is no such file or name, or running it fails.
    """
    file, _, name = text.rpartition(":")
    if not Path(file).is_file():
        raise BadInput(f"there is no file {file}; give one of Python, such as mine.py:{name}.")
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise BadInput(f"{file} cannot be run as Python.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code
        raise BadInput(f"{file} fails when it is run ({_short(error)}).") from error
    if name not in vars(module):
        known = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise BadInput(f"{file} has no function {name}; it has {', '.join(known) or 'none'}.")
    thing = vars(module)[name]
    if isinstance(thing, type) or not callable(thing) or isinstance(thing, nn.Module):
        return thing
    try:
        return thing()
    except Exception as error:  # the user's own code
        raise BadInput(
            f"{text} fails when it is called without arguments ({_short(error)})."
        ) from (error)


def load_model(spec: str, *, trust_pickle: bool = False, device: str = "auto") -> Any:
    """Read a fitted model.

    Parameters
    ----------
    spec : str
        A net (``.net``), a file of skops (``.skops``), of TorchScript, of ``torch.export``
        (``.pt2``), of joblib or pickle, or ``file.py:function``.
    trust_pickle : bool, default=False
        Whether to read files that may run any code: pickles, joblib files, those of
        ``torch.export``, and types that skops does not know.
    device : str, default="auto"
        Device that a net computes on.

    Returns
    -------
    model : fitted classifier or torch.nn.Module
        A module returns logits.

    Raises
    ------
    BadInput
        If there is no model, or it may not be read.
    """
    if names_function(spec):
        return _checked(call_function(spec), spec)
    try:
        check_path("path", spec)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if not Path(spec).is_file():
        raise BadInput(
            f"there is no file {spec}; give a model written by net.save(path), skops, TorchScript "
            "or joblib, or one that a function makes, such as mine.py:function."
        )
    kind = _kind(spec)
    if kind == "net":
        with blame_input(ValueError, TypeError, OSError, RuntimeError):
            return load_net(spec, device=device)
    return _checked(_READERS[kind](spec, trust_pickle), spec)


def load_classifier(path: str, *, trust_pickle: bool = False, device: str = "auto") -> Any:
    """Read a classifier of this library or scikit-learn from a file; see :func:`load_model`."""
    model = load_model(path, trust_pickle=trust_pickle, device=device)
    if not isinstance(model, BaseEstimator):
        raise BadInput(f"{path} holds a {type(model).__name__}, not a fitted classifier.")
    return model


def _checked(model: Any, spec: str) -> Any:
    """Return a model, or say what came in its place."""
    if isinstance(model, nn.Module) and not isinstance(model, BaseEstimator):
        return model
    if isinstance(model, type) or not isinstance(model, BaseEstimator) or not is_classifier(model):
        raise BadInput(
            f"{spec} holds a {type(model).__name__}, not a fitted classifier: give one, or a "
            "torch.nn.Module that returns logits."
        )
    return model


def _kind(path: str) -> str:
    """Kind of a file, by what it holds."""
    if not zipfile.is_zipfile(path):
        return "pickle"
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] or name for name in archive.namelist()]
    if Path(path).suffix == ".skops" or "schema.json" in names:
        return "skops"
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return "export"
    if any(name.startswith("code/") for name in names) or "constants.pkl" in names:
        return "script"
    return "weights" if "data.pkl" in names else "net"


def _read_skops(path: str, trust: bool) -> Any:
    try:
        import skops.io as sio  # type: ignore[import-not-found]
    except ImportError:
        raise BadInput(f"{path} is a file of skops, which is not installed: install skops.") from (
            None
        )
    try:
        unknown = sio.get_untrusted_types(file=path)
        if unknown and not trust:
            raise BadInput(
                f"{path} holds types that skops does not know, {', '.join(map(str, unknown[:5]))}, "
                f"{_HOLDS_CODE}."
            )
        return sio.load(path, trusted=unknown)
    except ImportError as error:
        raise _missing(path, error) from error
    except BadInput:
        raise
    except Exception as error:  # a damaged file may fail in any way
        raise BadInput(f"{path} cannot be read by skops ({_short(error)}).") from error


def _read_script(path: str, trust: bool) -> Any:
    import torch

    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        try:
            return torch.jit.load(path, map_location="cpu").eval()
        except Exception as error:  # a damaged file may fail in any way
            raise BadInput(f"{path} cannot be read as TorchScript ({_short(error)}).") from error


def _read_export(path: str, trust: bool) -> Any:
    import torch

    if not trust:
        raise BadInput(f"{path} was written by torch.export and may hold pickles, {_HOLDS_CODE}.")
    try:
        return torch.export.load(path).module()
    except Exception as error:  # a damaged file may fail in any way
        raise BadInput(f"{path} cannot be read by torch.export.load ({_short(error)}).") from error


def _read_weights(path: str, trust: bool) -> Any:
    raise BadInput(
        f"{path} was written by torch.save: it holds weights, or a pickle of a module. Give a "
        "function that builds the module and loads them, such as mine.py:function, or a file "
        "written by torch.jit.save."
    )


def _read_pickle(path: str, trust: bool) -> Any:
    if not trust:
        raise BadInput(
            f"{path} is not a net written by net.save nor a file of skops or TorchScript; if it is "
            "a pickle or joblib file that you trust to run code, add --trust-pickle."
        )
    import joblib

    try:
        return joblib.load(path)
    except ImportError as error:
        raise _missing(path, error) from error
    except Exception as error:  # a damaged pickle may fail in any way
        raise BadInput(f"{path} cannot be unpickled ({_short(error)}).") from error


def _missing(path: str, error: ImportError) -> BadInput:
    """Say which package a model needs."""
    name = (error.name or "a package").partition(".")[0]
    return BadInput(f"{path} needs {name}, which is not installed here: install {name}.")


def _short(error: Exception) -> str:
    text = str(error).strip().split("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text:.200}" if text else type(error).__name__


_READERS = {
    "skops": _read_skops,
    "script": _read_script,
    "export": _read_export,
    "weights": _read_weights,
    "pickle": _read_pickle,
}
