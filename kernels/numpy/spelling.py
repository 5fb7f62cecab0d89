"""How sizes, shapes and element types are spelled in generated code."""

from __future__ import annotations

import keyword
import re

from ...tracer.types import DType
from .names import NAMES

__all__ = ["dtype_text", "identifier", "number_text", "shape_text", "size_text"]
__all__ += ["symbol", "unpacked"]

_WORD = re.compile(r"[A-Za-z_]\w*")
# Names that generated code uses: a size or an input called like one is renamed. Sizes
# are seen by kernels too, which have more of their own.
_OURS = re.compile(r"([svrck]|sd|out)\d+$|(pool|new)(_.*)?$|(ws|token)$")
_KERNELS = re.compile(r"([a-z]|wsd)\d+$|(part|count|each|tiles|block|c|i|j|o|t)$")
_INFINITE = (float("inf"), -float("inf"))


def is_ours(name: str) -> bool:
    """Whether generated code means something else by `name`."""
    return bool(_OURS.match(name)) or name in NAMES or keyword.iskeyword(name)


def identifier(name: str) -> str:
    """`name` as a Python identifier that generated code does not use itself."""
    text = re.sub(r"\W", "_", name).strip("_") or "graph"
    if text[0].isdigit():
        text = "_" + text
    return text + "_" if is_ours(text) else text


def symbol(name: str) -> str:
    """The name of a symbolic size in generated code."""
    return f"size_{name}" if is_ours(name) or _KERNELS.match(name) else name


def size_text(n: object) -> str:
    """A size as Python source (text, a block's size, is that already)."""
    if isinstance(n, str):
        return n
    text = str(n)
    return text if text.isdigit() else _WORD.sub(lambda m: symbol(m[0]), text)


def shape_text(shape: tuple) -> str:
    """A shape as Python source."""
    inside = ", ".join(map(size_text, shape))
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def dtype_text(dtype: DType) -> str:
    """What generated code calls an element type."""
    return "bool_" if dtype.name == "bool" else dtype.name


def number_text(value: object) -> str:
    """A Python number as source, infinities and NaN included."""
    if isinstance(value, float) and (value != value or value in _INFINITE):
        return f"float({str(value)!r})"
    return repr(value)


def unpacked(names: list[str]) -> str:
    """Names as a tuple without parentheses."""
    return ", ".join(names) + ("," if len(names) == 1 else "")
