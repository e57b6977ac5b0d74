"""Processes of a comparison."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sklearn_robust.report import Settings
from sklearn_robust.report._work import count_jobs, count_threads


@pytest.mark.parametrize(("asked", "n_jobs"), [(1, 1), (2, 2), (9, 3), (-100, 1)])
def test_there_is_at_most_one_process_for_each_net(asked, n_jobs):
    nets = ("NaturalNet", "MinMaxNet", "AdvTrainNet")
    assert count_jobs(Settings(data="moons", nets=nets, n_jobs=asked)) == n_jobs
    assert count_threads(100) == 1


def alive(pid):
    """Whether a process runs; one that ended but was not collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the files of Linux")
def test_a_killed_comparison_leaves_no_process_behind():
    """Nothing can catch SIGKILL, so the workers have to notice that their parent is gone."""
    command = [sys.executable, str(Path(__file__).with_name("killed.py"))]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        workers = list(map(int, parent.stdout.readline().split()))
        assert len(workers) == 2 and all(map(alive, workers))
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    deadline = time.monotonic() + 60  # a worker may still be importing
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers))
