"""Evidence of a robust accuracy: plain data with a schema that has a version."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray

from .._version import __version__
from ._settings import BadInput

__all__ = [
    "SCHEMA",
    "VERSION",
    "check_evidence",
    "hash_samples",
    "pack",
    "read_evidence",
    "unpack",
    "versions",
]

SCHEMA, VERSION = "sklearn_robust.evidence", 1

_SHARE = "share"  # a number from 0 to 1
_FIELDS: dict[str, Any] = {
    "schema": str,
    "version": int,
    "made": str,
    "command": (str, type(None)),
    "seed": int,
    "versions": dict,
    "model.name": str,
    "model.source": (str, type(None)),
    "model.differentiable": bool,
    "data.title": str,
    "data.sha256": str,
    "data.n_samples": int,
    "data.sample_shape": list,
    "data.range": list,
    "data.classes": list,
    "threat.norm": str,
    "threat.eps": (int, float, list),
    "threat.bounds": (list, type(None)),
    "threat.mask": (list, type(None)),
    "threat.integer": (list, type(None)),
    "attack": str,
    "accuracy.clean": _SHARE,
    "accuracy.attacked": _SHARE,
    "accuracy.attacked_interval": list,
    "accuracy.certified": (_SHARE, type(None)),
    "accuracy.certified_interval": (list, type(None)),
    "accuracy.by_attack": dict,
    "accuracy.per_class": list,
    "samples.clean": str,
    "samples.attacked": str,
    "samples.certified": (str, type(None)),
    "verdict.trusted": bool,
    "verdict.signs": dict,
}


def hash_samples(X: NDArray[np.float32], codes: NDArray[np.int64], classes: list[str]) -> str:
    """SHA-256 of samples and labels, the same on every machine.

    Parameters
    ----------
    X : array of shape (n_samples, ...), float32
        Samples, in their order.
    codes : int array of shape (n_samples,)
        Class codes.
    classes : list of str
        Names of the classes.

    Returns
    -------
    digest : str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(repr((X.shape, classes)).encode())
    digest.update(np.ascontiguousarray(X, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(codes, dtype="<i8").tobytes())
    return digest.hexdigest()


def pack(mask: NDArray[np.bool_]) -> str:
    """Bool array as hexadecimal text, eight samples in two digits."""
    return np.packbits(mask).tobytes().hex()


def unpack(text: str, n: int) -> NDArray[np.bool_]:
    """Bool array of shape (n,) that :func:`pack` wrote."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=n).astype(bool)


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    return {
        "sklearn_robust": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
    }


def check_evidence(plain: Any) -> None:
    """Raise unless plain data are evidence of this version.

    Parameters
    ----------
    plain : object
        As read from JSON.

    Raises
    ------
    ValueError
        With the name of the first entry that is missing or wrong.
    """
    if not isinstance(plain, Mapping) or plain.get("schema") != SCHEMA:
        raise ValueError(f"it has no entry schema = {SCHEMA!r}")
    if plain.get("version") != VERSION:
        raise ValueError(f"its version is {plain.get('version')!r}, and {VERSION} is known here")
    for path, kind in _FIELDS.items():
        value: Any = plain
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                raise ValueError(f"it lacks {path}")
            value = value[key]
        if not _is(value, kind):
            raise ValueError(f"{path} is {value!r:.60}")
    n_digits = 2 * -(-plain["data"]["n_samples"] // 8)
    for name, text in plain["samples"].items():
        if text is not None and (len(text) != n_digits or set(text) - set("0123456789abcdef")):
            raise ValueError(f"samples.{name} does not hold one bit for each sample")


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, or of one of several."""
    if isinstance(kind, tuple):
        return any(_is(value, one) for one in kind)
    if kind == _SHARE:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and 0 <= value <= 1
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def read_evidence(path: str | Path) -> dict[str, Any]:
    """Read evidence from a file.

    Parameters
    ----------
    path : str or Path
        File that ``AuditReport.to_json`` or ``sklearn-robust check --json`` wrote.

    Returns
    -------
    plain : dict
        The evidence.

    Raises
    ------
    BadInput
        If there is no such file, or it holds something else.
    """
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
        check_evidence(plain)
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}; write one by check ... --json {path}.") from None
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path} is no evidence of this command ({str(error):.200}): write it by "
            f"check ... --json {path}."
        ) from None
    return plain
