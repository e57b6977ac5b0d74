"""Progress bars over the whole of a comparison."""

from tqdm import tqdm

__all__ = ["Progress"]

_UNITS = {"training": "epoch", "attacks": "strength", "studies": "study"}


class Progress:
    """One bar for each stage, over all nets together.

    Parameters
    ----------
    verbosity : int
        0 shows nothing, 1 bars where a person looks at a terminal, 2 always.
    **totals : int
        Number of steps of each stage: epochs of training, strengths of attacks, studies.
    """

    def __init__(self, verbosity, **totals):
        disable = {0: True, 1: None}.get(verbosity, False)
        self.verbosity = verbosity
        self.bars = {
            stage: tqdm(
                total=total,
                desc=stage,
                unit=_UNITS[stage],
                disable=disable,
                position=place,
                dynamic_ncols=True,
            )
            for place, (stage, total) in enumerate(totals.items())
        }

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for bar in self.bars.values():
            bar.close()

    def step(self, stage, name):
        """Advance the bar of a stage by one, for the net or the study ``name``."""
        self.bars[stage].set_postfix_str(name, refresh=False)
        self.bars[stage].update()

    def say(self, line):
        """Write a line above the bars."""
        if self.verbosity:
            tqdm.write(line)
