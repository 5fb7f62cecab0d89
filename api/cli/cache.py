"""`python -m tracefuse cache`: what generated code takes on disk, and less of it."""

from __future__ import annotations

import argparse

from ...kernels import tidy
from ...kernels.folder import cache_dir

__all__ = ["run"]

WHAT = {
    "numpy": "generated NumPy sources",
    "triton": "kernels for GPUs, their machine code, what was measured",
}


def run(options: argparse.Namespace) -> int:
    """Print what lies in the folder, after trimming or clearing it where asked."""
    folder = cache_dir()
    if options.clear:
        print(f"removed   {_said(tidy.clear(folder))}")
    elif options.trim is not None:
        print(f"removed   {_said(tidy.trim(folder, options.trim * 2**20))}")
    print(folder)
    for kind in tidy.KINDS:
        print(f"{kind:10}{_said(tidy.usage(folder, kind))}   {WHAT[kind]}")
    limit = f"{tidy.FILES:,} files or {tidy.LIMIT / 2**20:,.0f} MiB"
    print(f"Past {limit}, what was used longest ago goes by itself.")
    return 0


def _said(found: tidy.Usage) -> str:
    return f"{found.files:7,} files {found.bytes / 2**20:9,.1f} MiB"
