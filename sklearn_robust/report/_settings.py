"""What a comparison was asked to do."""

import shlex
from dataclasses import dataclass

from .. import nets
from ..plotting._style import typed_radius
from ._errors import BadInput

__all__ = ["DEFAULT_NETS", "NETS", "Settings", "net_number"]

DEFAULT_NETS = ("NaturalNet", "AdvTrainNet", "JacobianRegNet", "MinMaxNet", "GAIRATNet")
_OPTIONS = ("epochs", "samples", "train_samples", "seed", "device", "n_jobs", "data_home")
_BASES = (nets.BaseNet, nets.AdversarialNet)
_PUBLIC = {name: getattr(nets, name) for name in nets.__all__ if name.endswith("Net")}
NETS = {name: net for name, net in _PUBLIC.items() if net not in _BASES}


def net_number(name):
    """Place of a net's colour and marker, the same in every report."""
    return [*DEFAULT_NETS, *sorted(set(NETS) - set(DEFAULT_NETS))].index(name)


@dataclass(frozen=True)
class Settings:
    """One comparison; None leaves the choice to the data set, the net or the machine.

    Attributes
    ----------
    data : str
        Name of a data set, or a ``.npz`` file.
    nets : tuple of str
        Names of the nets, in the order of the report.
    eps : tuple of float or None
        Strengths of the attacks, ascending.
    train_eps : float or None
        Strength that adversarial nets train with.
    epochs, samples, train_samples, n_jobs : int or None
        Epochs of every net, samples attacked and trained on, processes.
    seed : int
        Seed of the split, the nets and the attacks.
    device, output, data_home : str or None
        Where to compute, write and look for downloads.
    verbosity : int
        0 is silent, 1 for a person at a terminal, 2 always shows progress bars.
    """

    data: str
    nets: tuple = DEFAULT_NETS
    eps: tuple | None = None
    train_eps: float | None = None
    epochs: int | None = None
    samples: int | None = 1000
    train_samples: int | None = None
    seed: int = 0
    device: str = "auto"
    n_jobs: int | None = None
    output: str = "report"
    data_home: str | None = None
    verbosity: int = 1

    def __post_init__(self):
        unknown = [name for name in self.nets if name not in NETS]
        if unknown or not self.nets:
            came = ", ".join(unknown) or "nothing"
            raise BadInput(f"there is no net {came}; choose from {', '.join(NETS)}.")
        if len(set(self.nets)) < len(self.nets):
            raise BadInput(f"--nets names a net twice: {', '.join(self.nets)}; name each once.")
        if self.eps is not None and 0 in self.eps:
            raise BadInput("--eps has 0, which is no attack; natural accuracy is shown anyway.")

    def command(self):
        """Return the command line that repeats this comparison."""
        words = ["sklearn-robust", "compare", "--data", self.data, "--nets", ",".join(self.nets)]
        words += [
            "--eps",
            *map(typed_radius, self.eps),
            "--train-eps",
            typed_radius(self.train_eps),
        ]
        for option in _OPTIONS:
            value = getattr(self, option)
            if value is not None:
                words += [f"--{option.replace('_', '-')}", str(value)]
        return shlex.join(words)
