"""Files that are whole, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(
    path: str | os.PathLike, previous: str | os.PathLike | None = None
) -> Iterator[IO[bytes]]:
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
