"""Keeping the folder of generated code small: what was used longest ago goes first."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Iterator, NamedTuple, Union

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILES", "KINDS", "LIMIT", "Usage", "clear", "sometimes", "trim", "usage"]

KINDS = ("numpy", "triton")  # the folders that are ours; no other is looked into
LIMIT = 1 << 30  # bytes
FILES = 20_000  # listing a folder stays quick
DAY = 86_400.0  # seconds between two looks at the folder
MEASURED = f"{os.sep}tuned{os.sep}"  # small, and dear to find again: never trimmed

Place = Union[str, "Path"]


class Usage(NamedTuple):
    """A number of files, and their bytes."""

    files: int
    bytes: int


class _File(NamedTuple):
    used: float  # seconds since the epoch
    size: int
    path: str


def usage(folder: Place, kind: str) -> Usage:
    """What lies in the folder of one kind."""
    return _sum([*_walk(os.path.join(folder, kind))])


def trim(folder: Place, limit: int = LIMIT, files: int = FILES) -> Usage:
    """Where there is more than that, remove what was used longest ago; what went.

    `limit` in bytes. Half of each limit stays, so that trims are rare.
    """
    found = sorted(f for f in _ours(folder) if MEASURED not in f.path)
    if sum(f.size for f in found) <= limit and len(found) <= files:
        return Usage(0, 0)
    stays = len(found)
    kept = 0
    while stays and len(found) - stays < files // 2:
        if kept + found[stays - 1].size > limit // 2:
            break
        stays -= 1
        kept += found[stays].size
    return _remove(found[:stays])


def clear(folder: Place) -> Usage:
    """Remove all that was generated or measured; what went."""
    return _remove([*_ours(folder)])


def sometimes(folder: Place) -> None:
    """Trim in the background, if no process has done so within a day."""
    if folder in _looked:
        return
    _looked.add(folder)
    stamp = os.path.join(folder, "tidied")
    with contextlib.suppress(OSError):
        if time.time() - os.stat(stamp).st_mtime < DAY:
            return
    with open(stamp, "w"):  # first: other processes leave it to this one
        pass
    threading.Thread(target=trim, args=(folder,), daemon=True).start()


_looked: set[Place] = set()


def _sum(files: list[_File]) -> Usage:
    return Usage(len(files), sum(f.size for f in files))


def _remove(files: list[_File]) -> Usage:
    for file in files:
        with contextlib.suppress(OSError):
            os.unlink(file.path)
    return _sum(files)


def _ours(folder: Place) -> Iterator[_File]:
    for kind in KINDS:
        yield from _walk(os.path.join(folder, kind))


def _walk(folder: str) -> Iterator[_File]:
    """Every file below a folder; what vanishes meanwhile is passed over."""
    waiting = [folder]
    while waiting:
        try:
            entries = [*os.scandir(waiting.pop())]
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                continue
            with contextlib.suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                used = max(facts.st_atime, facts.st_mtime)
                yield _File(used, facts.st_size, entry.path)
