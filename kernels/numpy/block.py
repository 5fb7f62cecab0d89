"""A block of generated statements over arrays that have no memory yet.

Statements are written with references (`@7`) in place of arrays. When the block is
complete, `memory.py` looks at the statements, gives the arrays their memory and the
references their names.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from ...tracer.types import DType, uint8

__all__ = ["REFERENCE", "Array", "Block", "Line", "Ref"]

REFERENCE = re.compile(r"@(\d+)")
# A name that is neither an attribute nor called: a symbolic size, known in a call only.
SYMBOL = re.compile(r"(?<![.\w])[A-Za-z_]\w*(?![\w(])")


class Array:
    """One stretch of memory: `first` and `last` are the statements of its life.

    An output has a `name`, and `made` is the expression that makes it ("" where it
    exists); `home` is the output in whose memory a scratch array lives, if it does.
    Before statement `floor` the memory of an output still holds what others read.
    """

    __slots__ = (
        *("shape", "dtype", "static", "nbytes", "first", "last"),
        *("name", "made", "home", "viewed", "at", "floor"),
    )

    def __init__(self, shape: tuple, dtype: DType, name: str = "", made: str = ""):
        self.shape, self.dtype = shape, dtype
        self.static = all(type(n) is int for n in shape)
        self.nbytes = dtype.itemsize
        for n in shape if self.static else ():
            self.nbytes *= n
        self.first = self.last = -1
        self.name, self.made = name, made
        self.home: Optional[Array] = None
        self.viewed = False
        self.at = 0  # the offset in the arena
        self.floor = 0


class Line(NamedTuple):
    """A statement. `elementwise`: the result may take the memory of an operand that
    dies here. `direct`: an expression that makes the result in memory of its own.
    `shares`: (operand, result) pairs of a call that may be the same memory."""

    text: str
    elementwise: bool = False
    direct: str = ""
    shares: tuple = ()


class Ref(NamedTuple):
    """What `@k` stands for: an array, through a view built with the arena or `name`d
    by a statement."""

    array: Array
    recipe: str = ""
    name: str = ""


class Block:
    """The statements of one function body, in order."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.refs: list[Ref] = []
        self.arrays: list[Array] = []

    def array(self, shape: tuple, dtype: DType) -> str:
        """A reference to a new scratch array; its contents are garbage."""
        return self.enter(Array(shape, dtype))

    def output(
        self, name: str, shape: tuple, dtype: DType, made: str = "", floor: int = 0
    ) -> str:
        """A reference to `name`, made by expression `made` where it is first used."""
        array = Array(shape, dtype, name, made)
        array.floor = floor
        return self.enter(array)

    def enter(self, array: Array) -> str:
        self.arrays.append(array)
        return self.refer(Ref(array))

    def refer(self, ref: Ref) -> str:
        self.refs.append(ref)
        return f"@{len(self.refs) - 1}"

    def view(self, text: str, recipe: str) -> Optional[str]:
        """A reference to `text` seen through `recipe` ("{}.T"), built with the arena.

        None where that is not possible, and a statement has to do it.
        """
        ref = self.find(text)
        if ref is None or ref.name or ref.array.name or not ref.array.static:
            return None
        if SYMBOL.search(recipe):
            return None
        ref.array.viewed = True
        return self.refer(Ref(ref.array, recipe.format(ref.recipe or "{}")))

    def carve(self, nbytes: int, views: list[tuple[str, str]]) -> list[str]:
        """References to arrays in `nbytes` of scratch, built as these views of `a`."""
        array = Array((nbytes,), uint8)
        array.viewed = True
        self.arrays.append(array)
        recipes = (made.replace("view(a,", "view({},", 1) for _, made in views)
        return [self.refer(Ref(array, recipe)) for recipe in recipes]

    def alias(self, text: str, name: str) -> str:
        """What to call `name`, which a statement makes a view of `text`."""
        ref = self.find(text)
        if ref is None:
            return name
        ref.array.viewed = True
        return self.refer(Ref(ref.array, name=name))

    def find(self, text: str) -> Optional[Ref]:
        return self.refs[int(text[1:])] if text[0] == "@" else None

    def write(
        self,
        text: str,
        elementwise: bool = False,
        direct: str = "",
        shares: tuple = (),
    ) -> None:
        """Append a statement (see Line)."""
        self.lines.append(Line(text, elementwise, direct, shares))
