"""Checkpoints: all that training needs to resume, on disk after every epoch."""

from __future__ import annotations

import io
import json
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..._archive import open_file
from .atomic_write import atomic_write
from .fingerprint import architecture, describe, differences, digest
from .state import is_state, restore, state_of, state_of_fit

__all__ = ["Checkpoints", "check_checkpoint"]

_LAST, _PREVIOUS, _ENDED = "last.pt", "previous.pt", "ended"
_FORMAT = b"sklearn_robust checkpoint "
_MAGIC = _FORMAT + b"2 "
_PARTS = ("about", "net", "fit", "callbacks", "random")
_OF_NET = ("history_", "module_", "optimizer_")


class _Damaged(Exception):
    """A file that was cut short, altered, or written in another format."""


def check_checkpoint(folder: object) -> None:
    """Raise unless ``folder`` is None or a path."""
    path = os.fspath(folder) if isinstance(folder, (str, os.PathLike)) else ""
    if folder is not None and (not path or "\0" in os.fsdecode(path)):
        raise ValueError(f"checkpoint is {folder!r}; give the path of a folder, or None.")


class Checkpoints:
    """The two newest states of one fit, in a folder of its own.

    Parameters
    ----------
    net : BaseNet
        Initialised and about to train.
    data : dataset
        What it trains on.
    """

    def __init__(self, net: Any, data: Any) -> None:
        self.about = {**describe(net, data), **architecture(net.module_)}
        key = {k: v for k, v in self.about.items() if not k.startswith("weights ")}
        self.key = digest(json.dumps(key, sort_keys=True).encode())
        name = f"{type(net).__name__}-{self.key}"
        folder = Path(net.checkpoint)
        own = any(os.path.exists(folder / file) for file in (_LAST, _PREVIOUS))
        self.folder = folder if own else folder / name  # the folder of one fit may be given itself
        self.keep_last = True  # as the one before, when the next is written
        self.complains = True

    @property
    def seed(self) -> int:
        """Seed that each process which resumes the same fit knows."""
        return int(self.key, 16) % 2**31

    # -- reading ----------------------------------------------------------------------------

    def resume(self, net: Any) -> int:
        """Put the newest whole state back into the net; return the epochs it has trained."""
        own = [path for path in (self.folder / _LAST, self.folder / _PREVIOUS) if path.exists()]
        if not own:
            self._tell_of_unfinished(type(net).__name__)
        for path in own:
            try:
                content = _read(path)
                self._check_same(content["about"], path)
                done = len(content["net"]["history_"])
                ended = done >= net.max_epochs or (self.folder / _ENDED).exists()
                if ended and net.random_state is None:
                    return 0  # the next fit is to be another one
                self._put_back_or_undo(net, content)
                return done
            except (OSError, _Damaged) as error:
                self.keep_last = False
                warnings.warn(
                    f"the checkpoint {path} cannot be used, {error}: training goes on from the "
                    "one before it, or from the start.",
                    stacklevel=2,
                )
        return 0

    def _tell_of_unfinished(self, who: str) -> None:
        """Warn if the newest fit of this kind in a shared folder was cut short, and is another."""
        others = [path for path in self.folder.parent.glob(f"{who}-*/{_LAST}") if path.is_file()]
        newest = max(others, key=lambda path: path.stat().st_mtime, default=None)
        if newest is None or (newest.parent / _ENDED).exists():
            return
        try:
            content = _read(newest)
        except (OSError, _Damaged):
            return
        theirs, done = content["about"], len(content["net"]["history_"])
        parts = differences(self.about, theirs)
        if parts and done < int(theirs.get("max_epochs", done)):
            warnings.warn(
                f"{who} starts afresh: the unfinished fit in {newest.parent} is another one, since "
                f"{'; '.join(parts[:3])}.",
                stacklevel=2,
            )

    def _put_back_or_undo(self, net: Any, content: dict[str, Any]) -> None:
        """Put a state into the net; one that does not fit leaves it as it was."""
        before, holders = self._content(net), _holders(net)
        attributes = [dict(vars(holder)) for holder in holders]
        try:
            _put_back(net, content)
        except Exception as error:  # of many kinds: a part may be anything
            for holder, own in zip(holders, attributes, strict=True):
                vars(holder).clear()
                vars(holder).update(own)
            _put_back(net, before)
            raise _Damaged("its parts do not fit the net") from error

    def _check_same(self, theirs: dict[str, Any], path: Path) -> None:
        parts = differences(self.about, theirs)
        if parts:
            raise ValueError(
                f"the checkpoint {path} belongs to another fit: {'; '.join(parts[:5])}. Give those "
                "again, or another folder."
            )

    # -- writing ----------------------------------------------------------------------------

    def save(self, net: Any) -> None:
        """Write the state after an epoch; a disk that fails costs a warning, not the fit."""
        try:
            self._write(self._content(net))
        except OSError as error:
            if self.complains:
                warnings.warn(
                    f"{type(net).__name__} cannot save epoch {len(net.history)} in {self.folder} "
                    f"({error}): training goes on, and what is not saved by its end is lost if "
                    "it is killed.",
                    stacklevel=2,
                )
            self.complains = False

    def _content(self, net: Any) -> dict[str, Any]:
        """Gather all that training needs to go on."""
        random = {"cpu": torch.get_rng_state()}
        if net.device_.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(net.device_)
        return {
            "about": self.about,
            "net": state_of(net),
            "fit": state_of_fit(net.fit_state),
            "callbacks": {name: state_of(callback) for name, callback in net.callbacks_},
            "frozen": [n for n, w in net.module_.named_parameters() if not w.requires_grad],
            "random": random,
        }

    def end(self) -> None:
        """Remember that a callback ended the fit before its last epoch."""
        if (self.folder / _LAST).exists():
            with suppress(OSError):
                (self.folder / _ENDED).touch()

    def _write(self, content: dict[str, Any]) -> None:
        packed = io.BytesIO()
        torch.save(content, packed)
        payload = packed.getvalue()
        self.folder.mkdir(parents=True, exist_ok=True)
        previous = self.folder / _PREVIOUS if self.keep_last else None
        with atomic_write(self.folder / _LAST, previous) as file:
            file.write(_MAGIC + digest(payload).encode() + b"\n" + payload)
        (self.folder / _ENDED).unlink(missing_ok=True)
        self.keep_last = True
        _sync(self.folder)


def _holders(net: Any) -> list[Any]:
    """List the objects that hold the state of a running fit."""
    return [net, net.fit_state, *(callback for _, callback in net.callbacks_)]


def _put_back(net: Any, content: dict[str, Any]) -> None:
    restore(net, content["net"], net.device_)
    restore(net.fit_state, content["fit"], net.device_)
    for name, callback in net.callbacks_:
        restore(callback, content["callbacks"].get(name, {}), net.device_)
    if "frozen" in content:
        for name, weight in net.module_.named_parameters():
            weight.requires_grad_(name not in content["frozen"])
    torch.set_rng_state(content["random"]["cpu"])
    if net.device_.type == "cuda" and "cuda" in content["random"]:
        torch.cuda.set_rng_state(content["random"]["cuda"], net.device_)


def _read(path: Path) -> dict[str, Any]:
    with open_file(path, "give another folder as checkpoint") as file:
        head, _, payload = file.read().partition(b"\n")
    if head.startswith(_FORMAT) and not head.startswith(_MAGIC):
        raise _Damaged("it was written by another version of sklearn_robust")
    if head != _MAGIC + digest(payload).encode():
        raise _Damaged("it is cut short or damaged")
    try:
        content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds: the bytes may be anything
        raise _Damaged("it holds something else than a state of training") from error
    _check_parts(content)
    return content


def _check_parts(content: Any) -> None:
    """Raise unless a state has all its parts, and no part that would replace a method."""
    parts = content if isinstance(content, dict) else {}
    missing = [name for name in _PARTS if not isinstance(parts.get(name), dict)]
    if missing:
        raise _Damaged(f"it lacks {', '.join(missing)}")
    absent = [name for name in _OF_NET if name not in content["net"]]
    if absent:
        raise _Damaged(f"it lacks the net's {', '.join(absent)}")
    holders = [content["net"], *content["callbacks"].values()]
    if not all(isinstance(holder, dict) for holder in holders) or not all(
        is_state(name) for holder in holders for name in holder
    ):
        raise _Damaged("it holds something else than a state of training")


def _sync(folder: Path) -> None:
    """Make renames in a folder last, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
