"""The memory behind the arrays of a block, planned when the block is complete.

The first and the last statement that mention an array are its life. Arrays whose lives
do not overlap share memory, and the result of an elementwise statement takes that of
an operand that dies there. A chain that ends in an output is computed in the output's
own memory from the start.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Optional

from .arena import Arena
from .block import REFERENCE, Array, Block, Line
from .spelling import dtype_text, shape_text

__all__ = ["Finished", "finish"]

# What is left of a copy whose result took the memory of what it copies.
_SELF_COPY = re.compile(r"copyto\((\w+), \1\)$")
_ALLOCATES = ("empty(", "fresh(")
# A view of all elements in order.
_IN_ORDER = re.compile(r"(\{\}(\.reshape\([^)]*\)+)*)?$")
_NAME = re.compile(r"\bs\d+\b")


class Finished:
    """Lines with names in them.

    `views` are the names of arrays in the arena of `size` bytes and how each is built;
    `allocs` make arrays of symbolic shape.
    """

    def __init__(self, lines: list[str], size: int, views: list, allocs: list[str]):
        used = set(_NAME.findall("\n".join(lines))) if views else ()
        self.lines, self.size, self.allocs = lines, size, allocs
        self.views = [(name, made) for name, made in views if name in used]


def finish(block: Block, hoist: bool = False) -> Finished:
    """Plan the memory and name every reference; `hoist` puts allocations apart."""
    find_lives(block)
    dying = by_statement(block.arrays, "last")
    for output in [a for a in block.arrays if a.name and a.first >= 0]:
        work_in_output(block.lines, output, dying)
    size = place(block, dying)
    names, views = name_all(block)
    allocs: list[str] = []
    lines = list(spell(block, names, allocs if hoist else None))
    return Finished(lines, size, views, allocs)


def find_lives(block: Block) -> None:
    """Note the first and the last statement that mention each array."""
    for i, line in enumerate(block.lines):
        for match in REFERENCE.finditer(line.text):
            array = block.refs[int(match[1])].array
            array.last = i
            if array.first < 0:
                array.first = i


def by_statement(arrays: list[Array], end: str) -> dict[int, list[Array]]:
    """The arrays whose life starts (or ends) at each statement."""
    found: dict[int, list[Array]] = {}
    for array in arrays:
        if array.first >= 0:
            found.setdefault(getattr(array, end), []).append(array)
    return found


def work_in_output(lines: list[Line], output: Array, dying: dict) -> None:
    """Let the chain of scratch arrays that becomes `output` live in its memory."""
    at = output.first
    while lines[at].elementwise:
        old = next((a for a in dying.get(at, ()) if fits(a, output, at)), None)
        if old is None or old.first < output.floor:
            return
        old.home, at = output, old.first
        output.first = at


def fits(old: Array, output: Array, at: int) -> bool:
    """Whether scratch array `old` may be the memory of `output` until `at`."""
    free = not (old.name or old.home or old.viewed) and old.first < at
    return free and alike(old, output)


def alike(a: Array, b: Array) -> bool:
    """Whether two arrays have the same type and surely the same size."""
    if a.dtype is not b.dtype or a.static is not b.static:
        return False
    if a.static:
        return a.nbytes == b.nbytes and (a.shape == b.shape or not (a.name or b.name))
    return slot_key(a) == slot_key(b)


def slot_key(array: Array) -> tuple:
    """What arrays of symbolic shape have in common that may follow each other."""
    return shape_text(array.shape), array.dtype


def place(block: Block, dying: dict[int, list[Array]]) -> int:
    """Give scratch arrays their offset or their name; the size of the arena."""
    scratch = [a for a in block.arrays if not a.name and a.home is None]
    born = by_statement(scratch, "first")
    arena, slots = Arena(), Slots()
    for i, line in enumerate(block.lines):
        here = [a for a in dying.get(i, ()) if not a.name and a.home is None]
        dead = [a for a in here if a.first < i]
        for array in born.get(i, ()):
            heir = next((a for a in dead if may_follow(block, line, a, array)), None)
            if heir:
                dead.remove(heir)
                array.at, array.made = heir.at, heir.made
            else:
                take(array, arena, slots)
        for array in dead + [a for a in here if a.first == i]:
            give(array, arena, slots)
    return arena.size


def may_follow(block: Block, line: Line, old: Array, new: Array) -> bool:
    """Whether `new`, born in this line, may lie where `old` lies, that dies here."""
    if not (line.elementwise or line.shares) or not alike(old, new):
        return False
    refs = [block.refs[int(m[1])] for m in REFERENCE.finditer(line.text)]
    if not all(_IN_ORDER.match(r.recipe) for r in refs if r.array is old):
        return False  # an element is read where another one would be written
    pairs = ((block.find(a), block.find(b)) for a, b in line.shares)
    return line.elementwise or any(
        a and b and a.array is old and b.array is new for a, b in pairs
    )


def take(array: Array, arena: Arena, slots: "Slots") -> None:
    """Memory for a scratch array: a place in the arena, or else a name."""
    if array.static:
        array.at = arena.take(array.nbytes)
    else:
        array.made = slots.take(array)


def give(array: Array, arena: Arena, slots: "Slots") -> None:
    """The memory of a scratch array is free again."""
    if array.static:
        arena.free(array.at, array.nbytes)
    else:
        slots.free(array)


class Slots:
    """Names for arrays of symbolic shape: one is reused for the same shape and type."""

    def __init__(self) -> None:
        self.unused: dict[tuple, list[str]] = {}
        self.count = 0

    def take(self, array: Array) -> str:
        """A name whose array is not needed any more, or a new one."""
        unused = self.unused.get(slot_key(array))
        if unused:
            return unused.pop()
        self.count += 1
        return f"sd{self.count}"

    def free(self, array: Array) -> None:
        """The array behind the name is not needed any more."""
        self.unused.setdefault(slot_key(array), []).append(array.made)


def name_all(block: Block) -> tuple[dict[int, str], list[tuple[str, str]]]:
    """The name of every reference, and how the views of the arena are built."""
    names: dict[int, str] = {}
    known: dict[Any, str] = {}
    for i, ref in enumerate(block.refs):
        array = ref.array.home or ref.array
        if array.first < 0:
            continue
        if ref.name or array.name:
            names[i] = ref.name or array.name
        elif not array.static:
            names[i] = array.made
        else:
            shape, dtype = shape_text(array.shape), dtype_text(array.dtype)
            text = f"view(a, {array.at}, {shape}, {dtype})"
            text = ref.recipe.format(text) if ref.recipe else text
            names[i] = known.setdefault(text, f"s{len(known)}")
    return names, [(name, text) for text, name in known.items()]


def spell(block: Block, names: dict, apart: Optional[list[str]]) -> Iterator[str]:
    """The lines of the block, with what has to be made ahead of its first use."""
    born = by_statement([a for a in block.arrays if a.home is None], "first")
    made: set[str] = set()
    for i, line in enumerate(block.lines):
        text = line.text
        for array in born.get(i, ()):
            if array.name and line.direct and array.made.startswith(_ALLOCATES):
                text = f"{array.name} = {line.direct}"
                continue
            first = making(array, made)
            if first and (array.name or apart is None):
                yield first
            elif first and apart is not None:
                apart.append(first)
        spelled = REFERENCE.sub(lambda m: names[int(m[1])], text)
        if not _SELF_COPY.match(spelled):
            yield spelled


def making(array: Array, made: set[str]) -> str:
    """The statement that makes an array, "" where none is needed (or it was `made`)."""
    if array.name:
        return f"{array.name} = {array.made}" if array.made else ""
    if array.static or array.made in made:
        return ""
    made.add(array.made)
    shape, dtype = shape_text(array.shape), dtype_text(array.dtype)
    return f"{array.made} = empty({shape}, {dtype})"
