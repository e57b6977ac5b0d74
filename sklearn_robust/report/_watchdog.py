"""End of all processes of a comparison soon after their parent was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

__all__ = ["Watchdog"]

# A pipe from the parent ends when the parent does, whatever ended it. The last line of an orderly
# end is "done".
_WATCH = """
import os, signal, sys
pids = set()
for line in sys.stdin:
    if line.strip() == "done":
        sys.exit()
    pids.update(map(int, line.split()))
for pid in pids:
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        pass
"""


class Watchdog:
    """Small process that ends others when this one is gone.

    A process that starts is busy with imports for seconds, and could not see for itself that its
    parent is gone.
    """

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the parent
        )
        return self

    @property
    def pid(self) -> int:
        """Number of its own process."""
        return self._process.pid

    def watch(self, children: Iterable[Any]) -> None:
        """Name processes of ``multiprocessing`` that must not outlive this one."""
        self._tell(" ".join(str(child.pid) for child in children))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell("done")
        self._process.communicate()

    def _tell(self, line: str) -> None:
        try:
            stream = self._process.stdin
            if stream is not None:
                stream.write(line + "\n")
                stream.flush()
        except OSError:  # somebody ended it
            pass
