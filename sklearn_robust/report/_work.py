"""Training and attacks of one model of a comparison, step by step, each of which is kept."""

from __future__ import annotations

import hashlib
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..attacks._cache import content_hash
from ..attacks._evaluation import open_samples
from ..differentiable import Model, open_model
from ..exceptions import TrainingDivergedError
from ..nets import load_net
from ..nets._engine.device import resolve_device
from ._attack import WORST, attack_model
from ._data import Data
from ._evidence import versions
from ._given import labels_for, shaped_for
from ._kept import Finished, Kept, difference
from ._models import load_model, names_function
from ._settings import Settings
from ._train import make_net, train_net

__all__ = ["new_record", "recall", "run_model"]

Record = dict[str, Any]  # what is known of one model
Tell = Callable[[str, str], Any]


def new_record(**known: Any) -> Record:
    """Record of a model of which nothing is known yet."""
    empty: Record = {"interrupted": False, "failed": None, "seconds_attacked": 0.0}
    return {**empty, "masks": {}, "attacks": {}, **known}


def run_model(
    name: str, data: Data, settings: Settings, tell: Tell, stop: Callable[[], bool]
) -> Record:
    """Train and save a net, or load a model, and attack it.

    Parameters
    ----------
    name : str
        Name of the net or model.
    data : Data
        Data of the comparison.
    settings : Settings
        Settings of the comparison.
    tell : callable
        ``tell(stage, name)`` after each epoch and each strength.
    stop : callable
        Returns True when the work should end at once.

    Returns
    -------
    record : dict
        Plain results, as far as the work came before an interruption: "params", "kind" ("white
        box" or "black box"), "natural", "attacks" (accuracies by attack and strength), "masks"
        (bool arrays), for nets "training" and "file"; "interrupted", and "failed", the reason
        why something is missing, or None.
    """
    record = (recall(name, data, settings)[0] if settings.resume else None) or new_record()
    try:
        if stop():
            raise KeyboardInterrupt
        for _ in range(record.get("training", {}).get("epochs", 0)):
            tell("training", name)
        for _ in record["attacks"].get(WORST, ()):
            tell("attacks", name)
        if not _is_finished(record, settings):
            model = _obtain(name, data, settings, record, tell, stop)
            _attack(model, name, data, settings, record, tell, stop)
    except TrainingDivergedError as error:
        record["failed"] = str(error)
    except KeyboardInterrupt:
        record["interrupted"] = True
    except Exception as error:  # a failure of one net must not lose the results of the others
        traceback.print_exc()
        record["failed"] = f"{type(error).__name__}: {error}"
    return record


def _is_finished(record: Record, settings: Settings) -> bool:
    return len(record["attacks"].get(WORST, ())) == len(settings.eps or ())


def _obtain(
    name: str,
    data: Data,
    settings: Settings,
    record: Record,
    tell: Tell,
    stop: Callable[[], bool],
) -> Model:
    """Return the fitted model, and add what is known of it without an attack to its record."""
    if name in settings.models_by_name:
        model = _load(name, settings)
        record["params"] = " ".join(repr(model).split())[:300]
        record["source"] = settings.models_by_name[name]
    elif "file" in record:
        return open_model(load_net(Path(settings.output, record["file"]), device=settings.device))
    else:
        record["params"] = repr(make_net(name, settings))
        model, record["training"] = train_net(
            name, data, settings, lambda: tell("training", name), stop
        )
        record["file"] = f"nets/{name}.net"
        model.save(Path(settings.output, record["file"]))
    opened = open_model(model)
    X, codes = open_samples(opened, *_samples_for(opened, data))
    record["masks"]["natural"] = opened.predict_codes(X) == codes
    record["natural"] = float(np.mean(record["masks"]["natural"]))
    record["kind"] = "white box" if opened.differentiable else "black box"
    _keep(name, data, settings, record)
    return opened


def _load(name: str, settings: Settings) -> Any:
    spec = settings.models_by_name[name]
    return load_model(spec, trust_pickle=settings.trust_pickle, device=settings.device)


def _samples_for(model: Model, data: Data) -> tuple[NDArray[Any], Any]:
    """Test samples in the shape of an opened model, and labels as it spells them."""
    names = [data.name_of(label) for label in np.unique(data.y_train).tolist()]
    y, _ = labels_for(model, data.y_test, names if data.class_names else None)
    return shaped_for(model, data.X_test), y


def _attack(
    model: Model,
    name: str,
    data: Data,
    settings: Settings,
    record: Record,
    tell: Tell,
    stop: Callable[[], bool],
) -> None:
    """Attack a model with growing strength, and add accuracies and masks to its record."""
    known = {attack: masks[-1] for attack, masks in record["masks"].items() if attack != "natural"}
    rounds = attack_model(
        model,
        *_samples_for(model, data),
        (settings.eps or ())[len(record["attacks"].get(WORST, ())) :],
        seed=settings.seed,
        bounds=data.bounds,
        certify=settings.certify or None,
        known=known,
    )
    before, start = record["seconds_attacked"], time.perf_counter()
    for masks in rounds:
        for attack, mask in masks.items():
            record["attacks"].setdefault(attack, []).append(float(np.mean(mask)))
            record["masks"].setdefault(attack, []).append(mask)
        record["seconds_attacked"] = before + time.perf_counter() - start
        _keep(name, data, settings, record)
        tell("attacks", name)
        if stop():
            raise KeyboardInterrupt


# -- what is kept ----------------------------------------------------------------------------------


def _keep(name: str, data: Data, settings: Settings, record: Record) -> None:
    """Write down what is known of a model."""
    plain = {key: value for key, value in record.items() if key != "masks"}
    arrays = {attack: np.array(masks) for attack, masks in record["masks"].items()}
    key = _keys(name, data, settings)
    Kept(settings.output).write(name, Finished(key, plain, arrays))


def recall(name: str, data: Data, settings: Settings) -> tuple[Record | None, str]:
    """Find what is kept of a model and still holds.

    Parameters
    ----------
    name : str
        Name of the net or model.
    data : Data
        Data of the comparison.
    settings : Settings
        Settings of the comparison.

    Returns
    -------
    record : dict or None
        As far as an earlier run came, or None where nothing can be used.
    text : str
        What is used, and why no more, in a sentence.
    """
    found, is_net = Kept(settings.output).read(name), name in settings.nets
    if found is None:
        return None, f"{name}: nothing of it is kept, so that all is done now."
    key = _keys(name, data, settings)
    why = difference(found.key["model"], key["model"])
    if why is not None:
        return None, f"{name} is {'trained' if is_net else 'attacked'} again: {why}."
    record = found.plain | {"masks": found.arrays}
    masks = record["masks"]
    record["masks"] = {attack: list(mask) for attack, mask in masks.items()}
    record["masks"]["natural"] = masks["natural"]
    why = difference(found.key["attacks"], key["attacks"])
    if why is not None:
        record |= {"attacks": {}, "masks": {"natural": masks["natural"]}, "seconds_attacked": 0.0}
        return record, f"{name} is kept as it was trained, and attacked again: {why}."
    n = len(record["attacks"].get(WORST, ()))
    trained = "trained already, and " if is_net else ""
    return record, f"{name} is {trained}attacked with {n} of {len(settings.eps or ())} strengths."


def _keys(name: str, data: Data, settings: Settings) -> dict[str, dict[str, Any]]:
    """All that the model and the attacks on it depend on."""
    common: dict[str, Any] = {
        **versions(),
        "device": str(resolve_device(settings.device)),
        "the data": data.digest,
    }
    if name in settings.nets:
        file = Path(settings.output, "nets", f"{name}.net")
        made = {"the net": repr(make_net(name, settings)), "--train-eps": settings.train_eps}
        model = common | made | {"the model's file": _hash_file(file)}
    else:
        model = common | {"the model's file": _hash_model(name, settings)}
    asked: dict[str, Any] = {"the strengths": list(settings.eps or ()), "--seed": settings.seed}
    return {"model": model, "attacks": asked | {"--certify": settings.certify}}


def _hash_file(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _hash_model(name: str, settings: Settings) -> str | None:
    """Hash of a file, or of what a function makes; of what has no hash, a new one each time."""
    spec = settings.models_by_name[name]
    if not names_function(spec):
        return _hash_file(Path(spec))
    try:
        return content_hash(_load(name, settings), "model")
    except TypeError:
        return uuid.uuid4().hex
