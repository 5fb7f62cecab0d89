"""The command line: one parser, one function for each command."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

from ...kernels import tidy
from ..version import __version__
from . import bench, cache, demo, doctor, run, show

__all__ = ["main"]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command; the exit status: 0 good, 1 a check failed, 2 wrong usage.

    >>> main(["demo", "--epochs", "0"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except BrokenPipeError:
        # The reader left (`... | head`): no traceback, also not from Python's exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tracefuse",
        description="tracefuse: fused kernels from PyTorch-style Python",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _demo(commands)
    _run(commands)
    _doctor(commands)
    _show(commands)
    _bench(commands)
    _cache(commands)
    return parser


def _demo(commands: argparse._SubParsersAction) -> None:
    add = _command(commands, "demo", demo.run, "train on real digits, save, reload")
    count: dict[str, Any] = {"type": _positive, "metavar": "N"}
    add("--epochs", default=20, help="default: %(default)s", **count)
    add("--batch-size", default=64, help="default: %(default)s", **count)
    add("--seed", default=0, type=_natural, metavar="N", help="default: %(default)s")
    out = "receives model, generated source, summary.json; default: a temporary folder"
    add("--out", type=Path, metavar="DIR", help=out)
    add("--quiet", action="store_true", help="print the verdict only")


def _run(commands: argparse._SubParsersAction) -> None:
    what = "run a PyTorch script with tracefuse in the place of torch"
    add = _command(commands, "run", run.run, what)
    add("script", metavar="SCRIPT", help="as it is: `import torch` gives tracefuse")
    add("arguments", nargs=argparse.REMAINDER, metavar="ARGS", help="handed on to it")


def _doctor(commands: argparse._SubParsersAction) -> None:
    _command(commands, "doctor", doctor.run, "say what was found and what is missing")


def _show(commands: argparse._SubParsersAction) -> None:
    add = _command(commands, "show", show.run, "print what a saved file holds")
    add("file", metavar="FILE", help="a file that tracefuse saved, or safetensors")
    add("--source", action="store_true", help="generated code instead of the graph")


def _bench(commands: argparse._SubParsersAction) -> None:
    what = "time a few programs beside NumPy, PyTorch and JAX, where installed"
    add = _command(commands, "bench", bench.run, what)
    add("--only", default="", metavar="WORD", help="programs with this in their name")
    add("--out", metavar="FILE", help="receives the numbers as JSON")


def _cache(commands: argparse._SubParsersAction) -> None:
    add = _command(commands, "cache", cache.run, "what generated code takes on disk")
    size = {"type": _natural, "nargs": "?", "const": tidy.LIMIT >> 20, "metavar": "MIB"}
    add("--trim", **size, help="where there is more, remove the oldest half of it")
    add("--clear", action="store_true", help="remove all of it")


def _command(
    commands: argparse._SubParsersAction, name: str, run: Callable, summary: str
) -> Callable:
    """One more command; what adds options to it."""
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run)
    return parser.add_argument


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return number


def _positive(text: str) -> int:
    number = _natural(text)
    if number == 0:
        raise argparse.ArgumentTypeError("expected 1 or more, got 0")
    return number
