"""Files that are whole, whatever happens while they are written."""

import os
from contextlib import contextmanager

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path, previous=None):
    """Open a draft beside ``path``, which takes its place once it is whole and on the disk.

    A write that fails leaves the old file and no draft behind; after one that does not, the old
    file is found as ``previous``, if that is given.
    """
    path = os.path.realpath(path)  # a link stays a link
    draft = f"{path}.draft"
    try:
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and os.path.exists(path):
            os.replace(path, previous)
        os.replace(draft, path)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
