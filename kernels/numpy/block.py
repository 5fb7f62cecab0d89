"""A block of generated statements, and the memory behind the arrays they name.

Statements are written with references (`@7`) in place of scratch arrays. When the
block is complete, the first and last statement that mention an array are its life;
arrays whose lives do not overlap share memory, and every reference becomes the name
of a prebuilt view of one arena. The result of an elementwise statement may take the
memory of an operand that dies there.
"""

from __future__ import annotations

import keyword
import re
from typing import Any, Optional

from ...tracer.types import DType
from .arena import Arena
from .names import NAMES

__all__ = ["Block", "Finished", "dtype_text", "shape_text", "size_text", "symbol"]

_REF = re.compile(r"@(\d+)")
# What is left of a copy whose result took the memory of what it copies.
_SELF_COPY = re.compile(r"copyto\((\w+), \1\)")
_WORD = re.compile(r"[A-Za-z_]\w*")
# Names that generated code uses: a symbolic size called like one is renamed.
_OURS = re.compile(r"[a-z]{1,2}\d*$|block$|copyto$|empty$|view$|pool$|new$")


def size_text(n: object) -> str:
    """A size as Python source; a symbol keeps its name unless we use that."""
    text = str(n)
    return text if text.isdigit() else _WORD.sub(lambda m: symbol(m[0]), text)


def symbol(name: str) -> str:
    """The name of a symbolic size in generated code."""
    ours = _OURS.match(name) or keyword.iskeyword(name) or name in NAMES
    return f"size_{name}" if ours else name


def dtype_text(dtype: DType) -> str:
    """What generated code calls an element type."""
    return "bool_" if dtype.name == "bool" else dtype.name


def shape_text(shape: tuple) -> str:
    """A shape as Python source; symbolic sizes are the expressions they print as."""
    inside = ", ".join(map(size_text, shape))
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


class _Array:
    """One stretch of memory: `first` and `last` are the statements of its life."""

    __slots__ = ("shape", "dtype", "static", "nbytes", "first", "last", "at", "slot")

    def __init__(self, shape: tuple, dtype: DType):
        self.shape, self.dtype = shape, dtype
        self.static = all(type(n) is int for n in shape)
        self.nbytes = dtype.itemsize
        for n in shape if self.static else ():
            self.nbytes *= n
        self.first = self.last = -1
        self.at = 0  # the offset in the arena
        self.slot = ""  # the name, where there is no arena


class Block:
    """Statements of one function body, with scratch arrays planned over all of them."""

    def __init__(self, prefix: str = "s"):
        self.lines: list[tuple[str, bool]] = []
        self.refs: list[tuple[_Array, str]] = []  # an array, and what views it
        self.fixed: dict[int, str] = {}  # references that have their name already
        self.prefix = prefix
        self.arrays: list[_Array] = []

    def array(self, shape: tuple, dtype: DType) -> str:
        """A reference to a new scratch array; its contents are garbage."""
        made = _Array(shape, dtype)
        self.arrays.append(made)
        self.refs.append((made, ""))
        return f"@{len(self.refs) - 1}"

    def view(self, ref: str, recipe: str) -> Optional[str]:
        """A reference to `ref` seen through `recipe` ("{}.T"), built with the arena.

        None where that is not possible, and the statement has to be written.
        """
        if ref[0] != "@":
            return None
        made, before = self.refs[int(ref[1:])]
        if not made.static:
            return None
        self.refs.append((made, recipe.format(before or "{}")))
        return f"@{len(self.refs) - 1}"

    def alias(self, ref: str, name: str) -> str:
        """What to call `name`, which a statement makes a view of `ref`."""
        if ref[0] != "@":
            return name
        self.refs.append((self.refs[int(ref[1:])][0], ""))
        self.fixed[len(self.refs) - 1] = name
        return f"@{len(self.refs) - 1}"

    def write(self, text: str, elementwise: bool = False) -> None:
        """Append a statement; `elementwise` allows the result to replace an operand."""
        self.lines.append((text, elementwise))

    def finish(self, hoist: bool = False) -> "Finished":
        """Plan the memory and name every reference; `hoist` puts allocations apart."""
        self._find_lives()
        size = self._plan()
        names, builders = self._names()
        allocs: list[str] = []
        lines = self._spelled(names, allocs if hoist else None)
        return Finished(lines, size, builders, allocs)

    def _find_lives(self) -> None:
        for i, (text, _) in enumerate(self.lines):
            for match in _REF.finditer(text):
                array = self.refs[int(match[1])][0]
                array.last = i
                if array.first < 0:
                    array.first = i

    def _plan(self) -> int:
        born: dict[int, list[_Array]] = {}
        dying: dict[int, list[_Array]] = {}
        for array in self.arrays:
            if array.first >= 0:
                born.setdefault(array.first, []).append(array)
                dying.setdefault(array.last, []).append(array)
        arena, slots = Arena(), _Slots(self.prefix)
        for i, (_, elementwise) in enumerate(self.lines):
            dead = [a for a in dying.get(i, ()) if a.first < i]
            for array in born.get(i, ()):
                heir = elementwise and _heir(array, dead)
                if heir:
                    dead.remove(heir)
                    array.at, array.slot = heir.at, heir.slot
                elif array.static:
                    array.at = arena.take(array.nbytes)
                else:
                    array.slot = slots.take(array)
            stillborn = [a for a in dying.get(i, ()) if a.first == i]
            for array in dead + stillborn:
                arena.free(array.at, array.nbytes) if array.static else slots.free(array)
        return arena.size

    def _names(self) -> tuple[dict[int, str], list[tuple[str, str]]]:
        """The name of every reference; how the views of the arena are built."""
        names: dict[int, str] = {}
        known: dict[Any, str] = {}
        builders: list[tuple[str, str]] = []
        for i, (array, recipe) in enumerate(self.refs):
            if array.first < 0:
                continue
            if i in self.fixed or not array.static:
                names[i] = self.fixed.get(i, array.slot)
                continue
            shape, dtype = shape_text(array.shape), dtype_text(array.dtype)
            base = f"view(a, {array.at}, {shape}, {dtype})"
            text = recipe.format(base) if recipe else base
            name = known.get(text)
            if name is None:
                name = known[text] = f"{self.prefix}{len(known)}"
                builders.append((name, text))
            names[i] = name
        return names, builders

    def _spelled(self, names: dict[int, str], apart: Optional[list]) -> list[str]:
        born: dict[int, list[_Array]] = {}
        for array in self.arrays:
            if array.first >= 0 and not array.static:
                born.setdefault(array.first, []).append(array)
        lines: list[str] = []
        made: set[str] = set()
        allocs = lines if apart is None else apart
        for i, (text, _) in enumerate(self.lines):
            for array in born.get(i, ()):
                if array.slot not in made:
                    made.add(array.slot)
                    shape, dtype = shape_text(array.shape), dtype_text(array.dtype)
                    allocs.append(f"{array.slot} = empty({shape}, {dtype})")
            spelled = _REF.sub(lambda m: names[int(m[1])], text)
            if not _SELF_COPY.match(spelled):
                lines.append(spelled)
        return lines


class Finished:
    """Lines with names in them, the bytes of the arena, and its views in order."""

    def __init__(self, lines: list, size: int, builders: list, allocs: list):
        self.lines, self.size, self.allocs = lines, size, allocs
        # Views that only differ in name from what nothing mentions are not built.
        text = "\n".join(lines)
        used = set(re.findall(r"\b\w+\b", text)) if builders else set()
        self.views = [(name, made) for name, made in builders if name in used]


def _heir(array: _Array, dead: list[_Array]) -> Optional[_Array]:
    """An operand that dies where `array` is born and has its size and type."""
    for old in dead:
        if old.static == array.static and old.dtype is array.dtype:
            same = old.nbytes == array.nbytes if array.static else False
            if same:
                return old
    return None


class _Slots:
    """Names for arrays of symbolic shape: one is reused for the same shape and type."""

    def __init__(self, prefix: str):
        self.free_names: dict[tuple, list[str]] = {}
        self.prefix, self.count = prefix, 0

    def take(self, array: _Array) -> str:
        free = self.free_names.get(_slot_key(array))
        if free:
            return free.pop()
        self.count += 1
        return f"{self.prefix}d{self.count}"

    def free(self, array: _Array) -> None:
        self.free_names.setdefault(_slot_key(array), []).append(array.slot)


def _slot_key(array: _Array) -> tuple:
    return shape_text(array.shape), array.dtype
