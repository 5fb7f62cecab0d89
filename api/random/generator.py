"""Random state: a seed, and how far the stream of numbers has been read.

The numbers are Philox words, a pure function of (seed, offset), so a Generator is two
integers. The same seed gives the same numbers eager and jitted.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Iterator, Optional

import numpy as np

from ...tracer.graph import here, make
from ...tracer.philox import blocks, random_bits
from ...tracer.record import state
from ...tracer.sizes import numel
from ...tracer.where import user_line
from ..arrays.scalars import numbers
from ..device import CPU, check_device, device
from ..place import making
from ..placing import made_there
from ..tensor import Tensor, fresh, wrap

__all__ = ["Generator", "default_generator", "manual_seed", "seed", "initial_seed"]
__all__ += ["get_rng_state", "set_rng_state", "fork_rng"]

WORD = 2**64


class Generator:
    """A stream of random numbers of its own.

    >>> import tracefuse
    >>> a = tracefuse.rand(2, generator=Generator().manual_seed(7))
    >>> b = tracefuse.rand(2, generator=Generator().manual_seed(7))
    >>> tracefuse.equal(a, b)
    True
    """

    __slots__ = ("_seed", "offset", "__weakref__")

    def __init__(self, device: Any = None):
        check_device(device)
        self._seed = 67280421310721  # PyTorch's default seed
        self.offset = 0  # blocks of four words drawn so far

    device: device = property(lambda self: CPU)  # type: ignore

    def manual_seed(self, seed: Any) -> "Generator":
        """Start anew with this seed (a 64-bit integer); returns itself."""
        number = int(seed)
        if not -WORD // 2 <= number < WORD:
            raise ValueError(f"Overflow when unpacking long: seed {number}")
        self._restart(number % WORD, 0)
        return self

    def seed(self) -> int:
        """Start anew with a seed from the operating system; returns the seed."""
        self._restart(int.from_bytes(os.urandom(8), "little"), 0)
        return self._seed

    def initial_seed(self) -> int:
        """The seed it was started with."""
        return self._seed

    def get_state(self) -> Tensor:
        """Seed and offset, as 16 bytes."""
        rec = state.recorder
        if rec is not None:
            rec.volatile = "the random state is read inside the function"
        return fresh(self.words().view(np.uint8).copy())

    def set_state(self, new_state: Tensor) -> "Generator":
        """Go back to a state that `get_state` gave."""
        data = numbers(new_state, "set_state()")
        if data.dtype != np.uint8 or data.size != 16:
            raise TypeError("RNG state must be a ByteTensor of 16 elements")
        seed, offset = np.ascontiguousarray(data).view(np.uint64)
        self._restart(int(seed), int(offset))
        return self

    def words(self) -> np.ndarray:
        """int64 [seed, offset], with what the current recording has drawn."""
        drawn = _drawn(self)
        return np.array([self._seed, self.offset + drawn], np.uint64).view(np.int64)

    def advance(self, count: int) -> None:
        """Count `count` blocks as drawn."""
        self.offset += count

    def _restart(self, seed: int, offset: int) -> None:
        rec = state.recorder
        if rec is not None:  # what follows begins with a new input of the program
            rec.volatile = "a random generator is seeded inside the function"
            rec.generators.pop(self, None)
        self._seed, self.offset = seed, offset

    def __getstate__(self) -> tuple:
        return self._seed, self.offset

    def __setstate__(self, kept: tuple) -> None:
        self._seed, self.offset = kept


def _drawn(generator: Generator) -> int:
    rec = state.recorder
    known = None if rec is None else rec.generators.get(generator)
    return 0 if known is None else int(known[1])


default_generator = Generator()


def manual_seed(seed: Any) -> Generator:
    """Seed the default generator; returns it.

    >>> import tracefuse
    >>> _ = manual_seed(0); a = tracefuse.rand(3)
    >>> _ = manual_seed(0); tracefuse.equal(a, tracefuse.rand(3))
    True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the operating system; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator back into a state."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = (), enabled: bool = True) -> Iterator[None]:
    """What is drawn inside does not move the default generator outside."""
    before = (
        default_generator._seed,
        default_generator.offset + _drawn(default_generator),
    )
    try:
        yield
    finally:
        if enabled:
            default_generator._restart(*before)


def draw_bits(shape: tuple, generator: Optional[Generator]) -> Tensor:
    """Random words, uint32: the generator's next ones."""
    source = default_generator if generator is None else generator
    rec = state.recorder
    count: Any = numel(shape)
    if rec is None:
        return _drawn_now(source, shape, count)
    here.line = user_line()
    value, skip = rec.draw(source, blocks(count))
    return wrap(rec, make("random_bits", (value,), shape=shape, skip=skip))


def _drawn_now(source: Generator, shape: tuple, count: int) -> Tensor:
    words, offset = source.words(), source.offset
    source.offset += blocks(count)
    if making.device is not None:
        return made_there("random_bits", words, shape=tuple(shape), skip=0)
    return fresh(random_bits(source._seed, offset, count).reshape(shape))
