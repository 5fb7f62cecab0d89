"""Compile kernels ahead of time, each once: a content-addressed cache on disk.

    binary = compile_kernel(kernel, kernel.configs[0], "sm_90")

Several processes may share the folder: a file appears under its name complete. A
folder that is missing, broken or read-only costs time and nothing else. What is found
there is used without importing triton.
"""

from __future__ import annotations

import os
import re
import sys
import time
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence, Union

from ....tracer.errors import CompileError, FormatError
from ....tracer.later import Later
from ...folder import forget, store, touch
from ..kernel import Config, Kernel
from .binary import Binary, pack, unpack
from .build import build
from .sources import folder, library_text, module_text

__all__ = [
    *("carry", "compile_all", "compile_kernel", "lookup", "mark_of"),
    "triton_version",
]

futures, hashlib = Later("concurrent.futures"), Later("hashlib")

PATIENCE = 1.0  # seconds until a progress line appears
Job = tuple[Kernel, Config]


def compile_kernel(
    kernel: Kernel, config: Optional[Config] = None, target: str = "sm_90"
) -> Binary:
    """The machine code of a kernel for "sm_80", "sm_90", "sm_100", "gfx942", ...

    Without `config`, the kernel's first. Raises CompileError when triton is missing or
    does not compile it: the message names the user's line.
    """
    config = config or kernel.configs[0]
    found = lookup(kernel, config, target)
    if found is None:
        path = path_of(kernel, config, target)
        found = _built(kernel, config, target)
        forget(path)  # what was there is not whole
        store(path, pack(found))
    return found


def lookup(kernel: Kernel, config: Config, target: str) -> Optional[Binary]:
    """What is carried or lies in the cache; None when it must be compiled."""
    carried = _carried.get(mark_of(kernel, config, target)) if _carried else None
    return carried or read(path_of(kernel, config, target))


def carry(binaries: dict[str, Binary]) -> None:
    """Use these from now on, each for what `mark_of` gave for it.

    So a saved program brings its machine code along, and needs no triton.
    """
    _carried.update(binaries)


_carried: dict[str, Binary] = {}


def compile_all(
    jobs: Sequence[Job],
    target: str,
    threads: Optional[int] = None,
    progress: Optional[bool] = None,
) -> list[Union[Binary, CompileError]]:
    """Compile many, in the order given; an error stands where one does not compile.

    A progress line appears on stderr when it takes longer than a second; `progress`
    False never shows it, None (the default) only on a terminal.
    """
    found = [lookup(kernel, config, target) for kernel, config in jobs]
    missing = [i for i, binary in enumerate(found) if binary is None]
    results: dict[int, Union[Binary, CompileError]] = {}
    if missing:
        _import_once()
        workers = min(threads or os.cpu_count() or 1, len(missing))
        with futures.ThreadPoolExecutor(workers) as pool:
            running = {pool.submit(_attempt, *jobs[i], target): i for i in missing}
            done = futures.as_completed(running)
            for each in _shown(done, len(missing), progress):
                results[running[each]] = each.result()
    return [b if b is not None else results[i] for i, b in enumerate(found)]


def mark_of(kernel: Kernel, config: Config, target: str) -> str:
    """Names a kernel in a configuration for a target, by all that it says itself."""
    facts = (
        *(module_text(kernel.source), kernel.name, kernel.params, config, target),
        "fp_fusion" in kernel.tags,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def path_of(kernel: Kernel, config: Config, target: str) -> Path:
    """The file of the cache that holds it; named after all that the code depends on."""
    used = _library_digest() if "lib." in kernel.source else ""
    facts = (mark_of(kernel, config, target), triton_version(), used)
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
    return folder() / f"{kernel.name[:60]}_{digest}.{target}"


def read(path: Path) -> Optional[Binary]:
    """What the file holds; None when it is not there, or is not whole."""
    try:
        found = unpack(path.read_bytes())
        touch(path)
        return found
    except (OSError, FormatError):
        return None


@cache
def triton_version() -> Optional[str]:
    """The version of triton installed, found without importing it; None without it."""
    spec = find_spec("triton")
    if spec is None or spec.origin is None:
        return None
    text = Path(spec.origin).read_text(encoding="utf-8")
    found = re.search(r"^__version__ = ['\"](.+?)['\"]", text, re.M)
    return found.group(1) if found else "unknown"


@cache
def _library_digest() -> str:
    return hashlib.sha256(library_text().encode()).hexdigest()


def _attempt(kernel: Kernel, config: Config, target: str) -> Union[Binary, Exception]:
    try:
        return compile_kernel(kernel, config, target)
    except CompileError as error:
        return error


def _built(kernel: Kernel, config: Config, target: str) -> Binary:
    try:
        return build(kernel, config, target)
    except ImportError as error:
        need = "compiling GPU kernels needs triton: pip install 'tracefuse[gpu]'"
        raise CompileError(f"{kernel.name}: {need} ({error})") from error
    except Exception as error:  # triton raises what it likes, ptxas too
        where = f" ({kernel.line})" if kernel.line else ""
        why = str(error).strip() or type(error).__name__
        said = f"{kernel.name}{where} does not compile for {target} with {config}"
        raise CompileError(f"{said}: {why}") from error


def _import_once() -> None:
    """In one thread: importing in several at once is what Python does worst."""
    try:
        import_module("triton.compiler")
    except ImportError:
        pass  # each job says so


def _shown(done: Iterator, total: int, progress: Optional[bool]) -> Iterator:
    """The same items, with a progress line once patience is at an end."""
    wanted = sys.stderr.isatty() if progress is None else progress
    began, line = time.monotonic(), None
    for count, each in enumerate(done, 1):
        if wanted and line is None and time.monotonic() - began > PATIENCE:
            line = _progress_line(total, count - 1)
        if line is not None:
            line.update(1)
        yield each
    if line is not None:
        line.close()


def _progress_line(total: int, done: int) -> Any:
    tqdm = import_module("tqdm").tqdm
    return tqdm(total=total, initial=done, desc="compiling", unit="kernel")
