"""A parent that waits for its processes, for the test that kills it; prints their ids."""

import multiprocessing
import runpy
import sys
import time

if __name__ == "__main__":  # the processes import this file again
    Watchdog = runpy.run_path(sys.argv[1])["Watchdog"]
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=time.sleep, args=(600,)) for _ in range(2)]
    with Watchdog() as dog:
        for child in children:
            child.start()
            dog.watch([child])
        print(*(child.pid for child in children), dog.pid, flush=True)
        if sys.argv[2] == "waits":
            time.sleep(600)
        for child in children:
            child.terminate()
            child.join()
