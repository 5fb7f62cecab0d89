"""`python -m tracefuse run SCRIPT`: a PyTorch script, with tracefuse in its place."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from types import TracebackType
from typing import Optional

from .standin import stand_in

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Run the script as `python SCRIPT ARGS` would; 1 if it raised, 2 if missing."""
    script = options.script
    if not os.path.exists(script):
        print(f"tracefuse run: there is no file {script!r}", file=sys.stderr)
        return 2
    stand_in()
    sys.argv = [script, *options.arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as error:
        error = error.with_traceback(_from(script, error.__traceback__))
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _from(script: str, frames: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback from the script's own first line on, as Python would show it."""
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename != script:
        first = first.tb_next
    return first or frames
