"""Zip files that come from others: opened and read within bounds."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from typing import IO

__all__ = ["Archive", "UnreadableError", "is_within_bounds", "open_file"]

# One read at most; the directory is read in one, so that it lists some 10,000 members at most.
_LARGEST_READ = 2**20
# A member may unpack to this much, and beyond it to so many times what it takes in the file.
_FREE, _RATIO = 2**25, 60


class UnreadableError(Exception):
    """What is wrong with an archive, as the end of a sentence."""


def open_file(path: str | os.PathLike[str], advice: str) -> IO[bytes]:
    """Open a regular file for reading.

    Parameters
    ----------
    path : str or path-like
        Its path. Directories, devices and pipes, which may never end, are refused.
    advice : str
        What to give, as the end of a message.

    Returns
    -------
    stream : binary file
        The file, to be closed by the caller.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is {path!r:.80}, which is not a path; {advice}.")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}; {advice}.") from None
    except ValueError:  # a null byte
        raise ValueError(f"path is {path!r:.80}, which names no file; {advice}.") from None
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a device or a pipe"
        raise OSError(f"{path} is {kind}; {advice}.")
    return open(path, "rb")


def is_within_bounds(unpacked: int, packed: int) -> bool:
    """Whether a member of these sizes, in bytes, may be read."""
    return unpacked <= _FREE + _RATIO * packed


class _Bounded:
    """Reader of a file that never takes in much at a time, whatever the file says."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _LARGEST_READ:
            raise zipfile.BadZipFile("a part of it is too large")
        return self._stream.read(size if size >= 0 else _LARGEST_READ)


class Archive:
    """Zip file whose members are read within bounds.

    Parameters
    ----------
    stream : binary file
        What holds it; stays open.

    Raises
    ------
    UnreadableError
        If it is none; later, if a member cannot be read within bounds.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._size = stream.seek(0, io.SEEK_END)
        try:
            self._zip = zipfile.ZipFile(_Bounded(stream))
        except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError) as error:
            raise UnreadableError("it is not a zip file, or cut short") from error

    @property
    def names(self) -> list[str]:
        """Names of the members."""
        return self._zip.namelist()

    def size(self, name: str) -> int:
        """Bytes that a member unpacks to; reading stops there."""
        return self._member(name).file_size

    def is_stored(self, name: str) -> bool:
        """Whether a member takes as much in the file as it unpacks to."""
        member = self._member(name)
        return member.compress_type == zipfile.ZIP_STORED

    def open(self, name: str) -> IO[bytes]:
        """Open a member for reading; errors on the way are those of ``zipfile`` and ``zlib``."""
        member = self._member(name)
        if not is_within_bounds(member.file_size, min(member.compress_size, self._size)):
            raise UnreadableError(
                f"{name} unpacks to {member.file_size // 2**20} MB, more than {_RATIO} times its "
                "size in the file"
            )
        try:
            return self._zip.open(member)
        except (zipfile.BadZipFile, RuntimeError, OSError, EOFError) as error:
            raise UnreadableError(f"{name} is damaged") from error

    def read(self, name: str) -> io.BytesIO:
        """Read a member as a whole."""
        content = io.BytesIO()
        with self.open(name) as file:
            try:
                while chunk := file.read(_LARGEST_READ):
                    content.write(chunk)
            except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
                raise UnreadableError(f"{name} is damaged") from error
        content.seek(0)
        return content

    def _member(self, name: str) -> zipfile.ZipInfo:
        found = [member for member in self._zip.infolist() if member.filename == name]
        if len(found) != 1:
            raise UnreadableError(f"it has {'two' if found else 'no'} {name}")
        method = found[0].compress_type
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or found[0].flag_bits & 1:
            raise UnreadableError(f"{name} is encrypted or packed in an unusual way")
        return found[0]
