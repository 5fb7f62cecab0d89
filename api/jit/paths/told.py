"""What errors say of sizes: numbers, where our own code wrote the names of symbols."""

from __future__ import annotations

import re

from ....tracer.sizes import Dim, hint
from ....tracer.texts.spelled import parse_size
from ....tracer.where import is_library

__all__ = ["tell_sizes"]

_PROGRAMS = __name__.partition(".jit.")[0] + ".program."  # sizes have names there


def tell_sizes(error: BaseException, shapes: dict[int, tuple]) -> None:
    """Symbols of the recorded shapes in the text of an error of ours become numbers.

    So the caller is told what the plain function would have told.
    """
    sizes = {n.text: hint(n) for _, shape in shapes.values() for n in _symbols(shape)}
    if not sizes or not error.args or not isinstance(error.args[0], str):
        return
    if not _is_ours(error):
        return
    # No letter beside it but the x of "3x4".
    name = rf"(?<![A-Za-wyz_\d])(?:{'|'.join(map(re.escape, sizes))})(?![A-Za-wyz_\d])"
    atom = rf"(?:{name}|\(\([^()]*{name}[^()]*\)//\([^()]*\)\))"
    term = rf"(?:\b\d+\*)?{atom}(?:\*{atom})*"
    whole = rf"-?{term}(?: [+-] (?:{term}|\d+\b))*"
    text = re.sub(whole, lambda m: str(hint(parse_size(m[0], sizes))), error.args[0])
    error.args = (text, *error.args[1:])


def _symbols(shape: tuple) -> list[Dim]:
    return [n for n in shape if isinstance(n, Dim) and n.text.isidentifier()]


def _is_ours(error: BaseException) -> bool:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or last.tb_frame.f_globals["__name__"].startswith(_PROGRAMS):
        return False
    return is_library(last.tb_frame.f_code)
