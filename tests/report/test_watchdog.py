"""Processes that must not outlive a comparison."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sklearn_robust.report import _watchdog

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs the files of Linux"
)


def alive(pid):
    """Whether a process runs; one that ended but was not collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pids, seconds):
    """Wait until all these processes have ended; False if they have not in time."""
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def start(how):
    script = str(Path(__file__).with_name("killed.py"))
    command = [sys.executable, script, _watchdog.__file__, how]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return parent, list(map(int, parent.stdout.readline().split()))


def test_nothing_outlives_a_killed_parent():
    """Nothing can catch SIGKILL, and processes that still import see nothing for themselves."""
    parent, pids = start("waits")
    try:
        assert len(pids) == 3 and all(map(alive, pids))
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    assert gone(pids, 2)


def test_an_orderly_end_leaves_nothing_either():
    parent, pids = start("ends")
    assert parent.wait() == 0
    parent.stdout.close()
    assert gone(pids, 2)
