"""How a jitted function runs the user's Python: with what varies traced, if it can."""

from __future__ import annotations

import types
from typing import Any, Callable, Optional

from ...tracer.watch import touch
from ...tracer.watching.mutation import asks_for_ints, asks_for_types, may_mutate
from ...tracer.watching.pins import Pins
from .cache import Cache
from .dimensions import Dimensions
from .escapes import untrace_outside, untrace_rest
from .paths.arrays import is_array
from .paths.assigned import Assigned
from .paths.path import Path
from .paths.unpack import kinds_of
from .recording import Recording
from .session import Again, record
from .symbols import symbolic_shapes
from .varying import Followed, Substitution, Varying

__all__ = ["Runs"]


class Runs(Cache):
    """The part of a jitted function that makes recordings of it.

    A number or a size that was another before is traced; where that cannot be, all of
    it runs once more without.
    """

    __wrapped__: Callable
    _name: str
    _dynamic: Optional[dict]
    _path = Path
    _suspects: list[Pins]
    _codes: set[types.CodeType]  # that ran so far
    _varying: Varying
    _assigned: Assigned
    _dimensions: Dimensions

    def _shapes(self, args: tuple, kwargs: dict) -> dict:
        return symbolic_shapes(self.__wrapped__, args, kwargs, self._dynamic)

    def _run(
        self, args: tuple, kwargs: dict, leaves: list, spec: Any, exact: bool
    ) -> tuple[Recording, list]:
        """A recording and its kinds of arguments: with what varies traced, if it can.

        `exact` asks for sizes as they are.
        """
        shapes = self._shapes(args, kwargs)
        if self._path is Path:
            sizes = {} if self._dynamic else self._dimensions.symbolic(leaves, spec)
            if sizes and not exact:
                try:
                    return self._run_with(args, kwargs, leaves, spec, sizes)
                except Again as why:
                    self._dimensions.off = str(why)
            if not self._varying.off:
                try:
                    return self._run_with(args, kwargs, leaves, spec, shapes)
                except Again as why:
                    self._varying.off = str(why)
        kinds = self._kinds(leaves, shapes)  # as they were before
        return record(self._name, self.__wrapped__, args, kwargs, shapes), kinds

    def _kinds(self, leaves: list, shapes: dict) -> list:
        """What is checked of the arguments; a Program is given no arrays."""
        arrays = (i for i, x in enumerate(leaves) if is_array(x))
        return kinds_of(leaves, shapes, set(arrays) if self._path is Path else ())

    def _run_with(
        self, args: tuple, kwargs: dict, leaves: list, spec: Any, shapes: dict
    ) -> tuple[Recording, list]:
        """The same with traced numbers and sizes. Again where it must be without."""
        kinds = self._kinds(leaves, shapes)
        places, names = list(args), dict(kwargs)
        sources = self._varying.sources(places, names, spec)
        for source in sources:
            if source.leaf is not None:
                kinds[source.leaf] = Followed(type(source.then))
        numbers = Substitution(sources, bool(self._varying.off))
        try:
            recording = record(
                self._name, self.__wrapped__, places, names, shapes, numbers=numbers
            )
        except Exception:
            self._untrace(numbers, leaves, args, kwargs)
            raise
        recording.left_traced = self._untrace(numbers, leaves, args, kwargs)
        if untrace_rest(recording):
            self._varying.off = "it keeps a number where nobody can watch it"
            recording.rec.volatile = self._varying.off
        self._varying.note(sources, recording.rec.following)
        return recording, kinds

    def _compare(self, args: tuple, leaves: list, spec: Any) -> None:
        """Which Python numbers are others than in what is kept?"""
        varying, alike = self._varying, self._alike(args)[:8]
        if self._path is not Path:
            return
        varying.compare_leaves(alike, leaves, spec)
        known = [*(pins for entry in alike for pins in entry.pins), *self._suspects]
        for pins in known:
            varying.compare_pins(pins)
            self._assigned.compare(pins)
        if asks_for_types(self._codes):
            varying.off = self._dimensions.off = "it asks for the type of something"
        if asks_for_ints(self._codes):
            self._dimensions.off = "it asks whether something is an int"
        varying.release(self._suspects)

    def _untrace(
        self, numbers: Substitution, leaves: list, args: tuple, kwargs: dict
    ) -> bool:
        """Nobody outside is left with a traced number; whether anybody was."""
        if not (numbers.used and may_mutate(numbers.codes, True)):
            return False
        given = leaves, args, kwargs
        left, pins = untrace_outside(numbers, self.__wrapped__, *given)
        for spot in left:
            self._varying.mark(spot, pins)
        if left:
            touch()
        return bool(left)
