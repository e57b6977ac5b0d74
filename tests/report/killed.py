"""A comparison whose workers wait, for the test that kills it; prints their process ids."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from sklearn_robust.report import Settings
from sklearn_robust.report._work import _start

if __name__ == "__main__":  # the workers import this file again
    context = multiprocessing.get_context("spawn")
    settings = Settings(data="moons", train_samples=20, samples=10)
    told, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(2, context, _start, (settings, told, stop, 1)) as pool:
        pool.submit(time.sleep, 600)
        pool.submit(time.sleep, 600)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(600)
