"""Writing a file so that it appears complete or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import IO, Iterator, Union

from ...tracer.later import Later

__all__ = ["replacing"]

shutil = Later("shutil")


@contextmanager
def replacing(path: Union[str, os.PathLike[str]]) -> Iterator[IO[bytes]]:
    """A binary file, open for writing, that becomes `path` if the block succeeds.

    If anything fails, what stood at `path` still stands there unchanged, and nothing
    else is left. Permissions of an old file stay, and so does a symbolic link.

    Raises:
        OSError: the path cannot be written; the error names it.

    >>> with replacing("missing/a.bin") as file:
    ...     file.write(b"data")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: 'missing/a.bin'
    """
    path = os.fsdecode(path)
    target = os.path.realpath(path)
    # In the same folder: a rename is atomic only within one file system.
    temporary = os.path.join(
        os.path.dirname(target), f".tracefuse-{os.urandom(8).hex()}.tmp"
    )
    try:
        _check_target(target)
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise _about(error, path) from error
        raise


def _check_target(target: str) -> None:
    """Renaming would go through where plain writing is refused: ask first."""
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(errno.EINVAL, "Not a regular file")
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "Permission denied")


def _about(error: OSError, path: str) -> OSError:
    """The same error about the path that the caller knows."""
    if error.errno is None:
        return OSError(f"{path}: {error}")
    return OSError(error.errno, error.strerror, path)
