"""`python -m tracefuse doctor`: what was found here, and what is missing for what."""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

import numpy as np

from ...kernels import tidy
from ...kernels.folder import cache_dir
from ...kernels.gpu.discover import devices, simulated
from ...kernels.numpy.threads import threads
from ..version import __version__
from .gpu import Driver, driver

__all__ = ["run"]


class Need(NamedTuple):
    """A package by its module and its distribution, and what it is needed for."""

    module: str
    package: str
    purpose: str


NEEDS = (
    Need("ml_dtypes", "ml_dtypes", "bfloat16"),
    Need("safetensors", "safetensors", "saving and loading"),
    Need("tqdm", "tqdm", "progress bars"),
    Need("triton", "triton", "compiling kernels for a GPU"),
    Need("cuda.core", "cuda-core", "running kernels on a GPU"),
    Need("cuda.bindings", "cuda-bindings", "running kernels on a GPU"),
)


def run(options: argparse.Namespace) -> int:
    """Print what was found and what is missing; the exit status is always 0."""
    found = driver()
    for name, text in _findings(found):
        print(f"{name:15}{text}")
    print()
    for line in [*_missing(found)] or ["nothing is missing"]:
        print(line)
    return 0


def _findings(found: Optional[Driver]) -> Iterator[tuple[str, str]]:
    yield "tracefuse", f"{__version__} in {Path(__file__).parents[2]}"
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    yield "NumPy", f"{np.__version__} with {_blas()}"
    yield "threads", _threads()
    yield "GPU", "; ".join(found.devices) if found and found.devices else "none found"
    yield from _simulated()
    yield "driver", found.version if found else "no NVIDIA driver found"
    for need in NEEDS:
        yield need.package, _version(need) or "not installed"
    yield "cache", _cache(cache_dir())


def _simulated() -> Iterator[tuple[str, str]]:
    """The GPUs of TRACEFUSE_SIMULATE_GPU, where it is set: "cuda" means these."""
    try:
        for d in devices() if simulated() else ():
            memory = f"{d.total_memory / 2**30:.0f} GiB of host memory, {d.target}"
            yield d.label, f"{d.name}, {memory} (TRACEFUSE_SIMULATE_GPU)"
    except (ImportError, ValueError) as error:  # no triton; no number
        yield "simulated GPU", f"none: {error}"


def _missing(found: Optional[Driver]) -> Iterator[str]:
    if not (found and found.devices):
        yield "missing for a GPU: a device, and NVIDIA's driver for it"
    for need in NEEDS:
        if _version(need) is None:
            yield f"missing for {need.purpose}: pip install {need.package}"


def _version(need: Need) -> Optional[str]:
    """The installed version, found without importing: triton takes seconds."""
    try:
        found = find_spec(need.module.partition(".")[0])
        return version(need.package) if found else None
    except PackageNotFoundError:
        return None


def _blas() -> str:
    """The BLAS that NumPy was built with, which does the matrix products."""
    built: dict = np.show_config(mode="dicts") or {}  # type: ignore[assignment]
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return f"BLAS {blas.get('name', 'unknown')} {blas.get('version', '')}".rstrip()


def _threads() -> str:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    given = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    used = f"{threads()} for large kernels, {os.cpu_count()} processors"
    return ", ".join([used, *given])


def _cache(folder: Path) -> str:
    """The folder of generated code: what lies in it, or whether it can be made."""
    if folder.is_dir():
        found = [tidy.usage(folder, kind) for kind in tidy.KINDS]
        size = sum(each.bytes for each in found) / 2**20
        text = f"{sum(each.files for each in found)} files, {size:.1f} MiB"
    else:
        text = "made at first use"
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    writable = os.access(existing, os.W_OK)
    return f"{folder} ({text})" + ("" if writable else ", which cannot be written")
