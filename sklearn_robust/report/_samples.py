"""Samples to judge a model on: from a file, a folder of images, or a function of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets._npz import load_arrays
from ._data import DATASETS, draw_part, load_data
from ._models import call_function, names_function
from ._settings import BadInput, blame_input

__all__ = ["Samples", "load_samples"]

_LABELS = ("target", "label", "class", "y")  # usual names of the column of labels
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}


@dataclass(frozen=True)
class Samples:
    """Samples with their labels.

    Attributes
    ----------
    title : str
        Name of the data in a few words.
    X : array or DataFrame of shape (n, ...)
        Samples, in the units of their source; pixels of images go from 0 to 1.
    y : array of shape (n,)
        Labels.
    class_names : list of str or None
        Names of the classes 0, 1, ... where the labels are such numbers.
    """

    title: str
    X: Any
    y: Any
    class_names: list[str] | None = None


def load_samples(
    source: str,
    *,
    target: str | None = None,
    columns: Any = None,
    image_size: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    data_home: str | None = None,
) -> Samples:
    """Load samples and labels.

    Parameters
    ----------
    source : str
        "digits", "moons", "mnist" or "cifar10" (their test parts); a ``.npz`` file with X and y,
        or X_test and y_test; a ``.csv`` or ``.parquet`` file; a folder with a folder of images
        for each class; or ``file.py:function``, which returns (X, y).
    target : str, default=None
        Column of labels; None takes one called target, label, class or y, or the one that
        ``columns`` lacks.
    columns : list of str, default=None
        Columns that the model was fitted on.
    image_size : int, default=None
        Height and width that images are resized to.
    samples : int, default=None
        Number of samples to keep, with the proportions of the classes; None keeps all.
    seed : int, default=0
        Seed of the choice of samples.
    data_home : str, default=None
        Folder of downloads.

    Returns
    -------
    data : Samples
        What was loaded.

    Raises
    ------
    BadInput
        If there are no such data, or they cannot be used.
    """
    path = Path(source)
    if source in DATASETS:
        data = load_data(source, seed=seed, data_home=data_home)
        names = [data.name_of(label) for label in np.unique(data.y_train).tolist()]
        found = Samples(data.title, data.X_test, data.y_test, names if data.class_names else None)
    elif names_function(source):
        found = _from_function(source)
    elif path.is_dir():
        found = _from_folder(path, image_size)
    elif not path.is_file():
        raise BadInput(
            f"there is no file or folder {source}; give a .npz, .csv or .parquet file, a folder "
            f"with one folder of images for each class, mine.py:function, or one of "
            f"{', '.join(DATASETS)}."
        )
    elif path.suffix == ".npz":
        with blame_input(OSError, ValueError):
            bunch = load_arrays(path)
        found = Samples(path.name, bunch.X, bunch.y)
    elif path.suffix in (".csv", ".parquet"):
        found = _from_table(path, target, columns)
    else:
        raise BadInput(
            f"{source} is of no known kind; give a .npz, .csv or .parquet file, a folder of "
            "images, or mine.py:function."
        )
    return _part(found, samples, seed)


def _part(data: Samples, n: int | None, seed: int) -> Samples:
    if len(data.X) == 0:
        raise BadInput(f"{data.title} holds no sample; give at least one.")
    if len(data.X) != len(data.y):
        raise BadInput(f"{data.title} has {len(data.X)} samples and {len(data.y)} labels.")
    rows = draw_part(data.y, n, seed)
    if rows is None:
        return data
    X = data.X.iloc[rows] if hasattr(data.X, "iloc") else data.X[rows]
    return replace(data, X=X, y=np.asarray(data.y)[rows])


def _from_function(source: str) -> Samples:
    made = call_function(source)
    if isinstance(made, Mapping) and {"X", "y"} <= set(made):
        made = made["X"], made["y"]
    if not isinstance(made, tuple) or len(made) != 2:
        raise BadInput(f"{source} returns a {type(made).__name__}; it should return (X, y).")
    X, y = made
    return Samples(source, X if hasattr(X, "iloc") else np.asarray(X), np.asarray(y))


# -- tables ----------------------------------------------------------------------------------------


def _from_table(path: Path, target: str | None, columns: Any) -> Samples:
    try:
        import pandas as pd
    except ImportError:
        raise BadInput(f"pandas reads {path.name}, and is not installed: install pandas.") from None
    try:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except ImportError:
        raise BadInput(f"pyarrow reads {path.name}, and is not installed: install pyarrow.") from (
            None
        )
    except Exception as error:  # a damaged file may fail in any way
        raise BadInput(f"{path} cannot be read ({str(error).splitlines()[0]:.200}).") from error
    name = _target(frame, target, columns, path)
    features = frame.drop(columns=name) if columns is None else frame[list(columns)]
    return Samples(path.name, features, frame[name].to_numpy())


def _target(frame: Any, target: str | None, columns: Any, path: Path) -> str:
    """Name of the column of labels, once all columns are known to fit the model's."""
    found = [str(name) for name in frame.columns]
    if target is not None and target not in found:
        raise BadInput(f"{path.name} has no column {target}; it has {', '.join(found[:8])}.")
    if columns is not None:
        missing = [name for name in columns if name not in found]
        if missing:
            raise BadInput(
                f"{path.name} lacks columns that the model was fitted on: "
                f"{', '.join(map(str, missing[:5]))}; it has {', '.join(found[:8])}."
            )
    if target is not None:
        return target
    left = [name for name in found if columns is None or name not in list(columns)]
    usual = [name for name in left if name.lower() in _LABELS]
    if len(usual) == 1 or len(left) == 1:
        return usual[0] if len(usual) == 1 else left[0]
    raise BadInput(
        f"{path.name}: which column holds the labels? Name it, --target NAME, one of "
        f"{', '.join(left[-8:])}."
    )


# -- images ----------------------------------------------------------------------------------------


def _from_folder(folder: Path, size: int | None) -> Samples:
    """Images by class, one folder each, in the order of ``torchvision.datasets.ImageFolder``."""
    classes = sorted(part.name for part in folder.iterdir() if part.is_dir())
    files = {
        name: sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in _PICTURES)
        for name in classes
    }
    classes = [name for name in classes if files[name]]
    if not classes:
        raise BadInput(
            f"{folder} holds no images in folders; wanted is one folder for each class, such as "
            f"{folder}/cat/1.png."
        )
    pictures = [_open_image(path, size) for name in classes for path in files[name]]
    shapes = sorted({picture.size for picture in pictures})
    if len(shapes) > 1:
        shown = " and ".join(f"{w} x {h}" for w, h in shapes[:2])
        raise BadInput(
            f"{folder} holds images of {len(shapes)} sizes, such as {shown}; add --image-size "
            "with the height and width that the model takes."
        )
    grey = all(picture.mode in ("1", "L") for picture in pictures)
    arrays = [np.asarray(p.convert("L" if grey else "RGB"), np.float32) / 255 for p in pictures]
    X = np.stack(arrays)
    X = X[:, None] if grey else np.ascontiguousarray(np.moveaxis(X, -1, 1))
    y = np.repeat(np.arange(len(classes)), [len(files[name]) for name in classes])
    return Samples(f"{folder.name} ({len(X)} images)", X, y, classes)


def _open_image(path: Path, size: int | None) -> Any:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            return image.copy() if size is None else image.resize((size, size))
    except OSError as error:
        raise BadInput(f"{path} cannot be read as an image ({str(error):.100}).") from error
