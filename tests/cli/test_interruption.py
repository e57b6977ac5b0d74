"""The command when it is killed or interrupted, as it happens to people."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the files of Linux"),
]

SMALL = "--data moons --nets NaturalNet,MinMaxNet --samples 60 --eps 0.05 0.1".split()


def start(folder, *words):
    argv = [sys.executable, "-m", "sklearn_robust", "compare", *SMALL, "--output", str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*argv, *words], **pipes)


def children(pid):
    """Living processes that have this parent, and theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid and state != "Z":
            child = int(path.parent.name)
            found += [child, *children(child)]
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition, *args, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition(*args):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pids):
    return not any(map(alive, pids))


def n_strengths(path):
    """Strengths that the file of a net holds, or -1 where there is none."""
    try:
        with open(path, "rb") as file, np.load(file) as parts:
            return len(parts["worst case"]) if "worst case" in parts else 0
    except (OSError, ValueError):
        return -1


MOMENTS = [  # in training, with one net trained, between two strengths, in the studies
    lambda folder: (folder / "nets").exists(),
    lambda folder: n_strengths(folder / "kept" / "NaturalNet.npz") >= 0,
    lambda folder: n_strengths(folder / "kept" / "MinMaxNet.npz") >= 2,
    lambda folder: (folder / "kept" / "study-indicators.npz").exists(),
]


def test_a_comparison_killed_at_four_moments_ends_with_the_same_numbers(tmp_path):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    options = ("--epochs", "2", "--n-jobs", "1")
    _, err = start(whole, *options).communicate()
    for moment in MOMENTS:
        process = start(folder, *options, "--resume")
        wait_for(lambda path, now=moment: now(path), folder)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    process = start(folder, *options, "--resume")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "NaturalNet is trained already" in out and "MinMaxNet is trained already" in out
    first, second = (json.loads((path / "results.json").read_text()) for path in (whole, folder))
    for name in ("NaturalNet", "MinMaxNet"):
        one, two = first["nets"][name], second["nets"][name]
        assert [one[part] for part in ("natural", "attacks", "params")] == [
            two[part] for part in ("natural", "attacks", "params")
        ]
        assert one["training"]["train_loss"] == two["training"]["train_loss"]
    assert first["summary"] == second["summary"]
    with np.load(whole / "arrays.npz") as one, np.load(folder / "arrays.npz") as two:
        assert sorted(one.files) == sorted(two.files)
        for name in one.files:
            np.testing.assert_allclose(one[name], two[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["once", "twice", "killed"])
def test_processes_end_with_the_command(how, tmp_path):
    """Ctrl-C ends them, shows what there is and says how to go on; a second one ends at once."""
    process = start(tmp_path / "out", "--epochs", "5000", "--n-jobs", "2")
    wait_for(lambda: len(children(process.pid)) >= 4)  # two nets, the tracker, the watchdog
    time.sleep(0.5)
    left, begun = children(process.pid), time.monotonic()
    os.kill(process.pid, signal.SIGKILL if how == "killed" else signal.SIGINT)
    if how == "twice":
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    taken = time.monotonic() - begun
    wait_for(gone, left, seconds=2)
    busy = max(1, os.getloadavg()[0] / os.cpu_count())  # others may use the machine too
    assert taken < busy * {"once": 5, "twice": 2, "killed": 2}[how]
    if how != "killed":
        assert process.returncode == 130
        assert "To go on from here, type:\n  sklearn-robust compare" in err and "--resume" in err
