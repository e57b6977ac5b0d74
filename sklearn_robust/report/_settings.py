"""Settings of a comparison, and the error for settings that make no sense."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import nets
from ..plotting._style import typed_radius

__all__ = ["DEFAULT_NETS", "NETS", "BadInput", "Settings", "blame_input", "net_number"]

DEFAULT_NETS = ("NaturalNet", "AdvTrainNet", "JacobianRegNet", "MinMaxNet", "GAIRATNet")
_OPTIONS = ("epochs", "samples", "train_samples", "seed", "device", "n_jobs", "data_home")
_BASES = (nets.BaseNet, nets.AdversarialNet)
_PUBLIC = {name: vars(nets)[name] for name in nets.__all__ if name.endswith("Net")}
NETS: dict[str, Any] = {name: net for name, net in _PUBLIC.items() if net not in _BASES}


class BadInput(Exception):
    """Mistake of the user, in one sentence: what came, what was wanted, what to type."""


@contextmanager
def blame_input(*errors: type[Exception]) -> Iterator[None]:
    """Turn these errors, whose messages are written for users, into :class:`BadInput`."""
    try:
        yield
    except errors as error:
        text = str(error)
        for name in _OPTIONS:  # named as a person types them
            text = re.sub(rf"\bas {name}\b", f"as --{name.replace('_', '-')}", text)
        raise BadInput(text) from error


def net_number(name: str) -> int:
    """Return the number of a net's colour and marker, the same in every report."""
    return [*DEFAULT_NETS, *sorted(set(NETS) - set(DEFAULT_NETS))].index(name)


@dataclass(frozen=True)
class Settings:
    """Settings of one comparison; None leaves a choice to the data set, the net or the machine.

    Attributes
    ----------
    data : str
        Name of a data set, or a ``.npz`` file.
    nets : tuple of str
        Names of the nets to train, in the order of the report.
    models : tuple of str
        Fitted models to attack beside the nets: files, or ``mine.py:function``.
    eps : tuple of float or None
        Strengths of the attacks, ascending.
    train_eps : float or None
        Strength of the attacks that adversarial nets train with.
    epochs, samples, train_samples, n_jobs : int or None
        Number of epochs of every net, of attacked samples, of training samples, of processes.
    seed : int
        Seed of the split, the nets and the attacks.
    device, output, data_home : str or None
        Device that computes, folder to write to, folder of downloads.
    trust_pickle : bool
        Whether to read models from files that may run any code.
    certify : bool
        Whether to prove a lower bound for every model, and not only where that is cheap.
    resume : bool
        Whether to keep the nets and attacks that are in the folder already.
    verbosity : int
        0 shows nothing, 1 shows progress bars on a terminal, 2 shows them always.
    """

    data: str
    nets: tuple[str, ...] = DEFAULT_NETS
    models: tuple[str, ...] = ()
    eps: tuple[float, ...] | None = None
    train_eps: float | None = None
    epochs: int | None = None
    samples: int | None = 1000
    train_samples: int | None = None
    seed: int = 0
    device: str = "auto"
    n_jobs: int | None = None
    output: str = "report"
    data_home: str | None = None
    trust_pickle: bool = False
    certify: bool = False
    resume: bool = False
    verbosity: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.nets if name not in NETS]
        if unknown or not self.names:
            came = ", ".join(unknown) or "nothing"
            raise BadInput(f"there is no net {came}; choose from {', '.join(NETS)}.")
        if len(set(self.nets)) < len(self.nets):
            raise BadInput(f"--nets names a net twice: {', '.join(self.nets)}; name each once.")
        shared = [name for name in self.names if self.names.count(name) > 1]
        if shared:
            raise BadInput(
                f"--models names two models {shared[0]}; give files that differ in their names."
            )
        if self.eps is not None and 0 in self.eps:
            raise BadInput(
                "--eps has 0, which is not an attack: leave it out, clean accuracy is always shown."
            )

    @property
    def models_by_name(self) -> dict[str, str]:
        """Where each model comes from, by its name in the report."""
        return {Path(spec).name: spec for spec in self.models}

    @property
    def names(self) -> list[str]:
        """Names of the nets and models, in the order of the report."""
        return [*self.nets, *(Path(spec).name for spec in self.models)]

    def command(self) -> str:
        """Return the command line that repeats this comparison; the strengths must be known."""
        if self.eps is None or self.train_eps is None:
            raise ValueError("the strengths are not known yet.")
        words = ["sklearn-robust", "compare", "--data", self.data]
        words += ["--nets", ",".join(self.nets)] if self.nets else []
        words += ["--models", *self.models] if self.models else []
        words += ["--eps", *map(typed_radius, self.eps)]
        words += ["--train-eps", typed_radius(self.train_eps)]
        words += ["--trust-pickle"] if self.trust_pickle else []
        words += ["--certify"] if self.certify else []
        for option in _OPTIONS:
            value = getattr(self, option)
            if value is not None:
                words += [f"--{option.replace('_', '-')}", str(value)]
        return shlex.join(words)
