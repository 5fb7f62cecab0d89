"""The inside of one `vmap`: the placeholders of one example, and what became of them.

Nothing that depends on a placeholder may outlive the scope: results are batched when
it closes; a write that would put one example's numbers into what all examples share is
an error; other tensors that Python still holds then are dead, and say so when used.
"""

from __future__ import annotations

from typing import Any, Iterable, Optional

from ...tracer.batching.batch import Batching, Draws, depends
from ...tracer.errors import TraceError
from ...tracer.graph import Value, placeholder
from ...tracer.sizes import Int
from ...tracer.types import bool_
from ..tensor import Tensor, wrap, write
from .pieces import joined, piece, pieces
from .runs import recorder, result

__all__ = ["Scope"]


class Scope:
    """A function is being recorded for one example of `size`."""

    def __init__(self, size: Int, randomness: str, chunk: Optional[int]):
        self.size, self.randomness, self.chunk = size, randomness, chunk
        rec = self.rec = recorder()
        self.start = placeholder("start", (), bool_)
        self.examples: list[tuple[Tensor, Tensor, int]] = []  # inside, outside, axis
        self.mapped: dict[int, Value] = {}
        self.sources: list[Value] = []
        self.drawn = dict(rec.generators)
        self.storages = {s: (s.value, s.version) for s in _storages(rec)}
        self.shadows = {s: (sh.value, sh.version) for s, sh in rec.shadows.items()}
        self.slots = {key: slot.get() for key, (slot, _) in rec.written.items()}

    def example(self, t: Tensor, axis: int) -> Tensor:
        """A tensor for one example of `t`, which has all of them along `axis`."""
        for inside, known, at in self.examples:
            if known is t and at == axis:
                return inside
        value = self.rec.value_of(t)
        rest = range(-value.ndim, 0)
        order = (axis - value.ndim, *(a for a in rest if a != axis - value.ndim))
        whole = value.permute(order)
        one = placeholder("example", whole.shape[1:], whole.dtype)
        one.live = whole.live
        self.mapped[one.id] = whole
        self.sources.append(one)
        inside = wrap(self.rec, one)
        self.examples.append((inside, t, axis))
        return inside

    # -- the end

    def close(self, results: Iterable[Tensor]) -> "Made":
        """Batch the results, and what was written to the examples."""
        self._check_writes()
        values = [self.rec.value_of(t) for t in results]
        inside = [i for i, _, _ in self.examples if i._storage.version]
        values += [i._storage.value for i in inside]  # type: ignore[misc]
        made = Made(self, values, self._draws())
        for one, outside, axis in self.examples:
            if one._storage.version:
                value = made.all(one._storage.value)  # type: ignore[arg-type]
                write(outside, result(_moved(value, axis)))
        return made

    def _draws(self) -> Optional[Draws]:
        """How what was drawn differs; the generators move on by all examples."""
        starts: dict[int, Int] = {}
        for generator, (value, end) in self.rec.generators.items():
            known, start = self.drawn.get(generator, (value, 0))
            start = start if known is value else 0
            if end is not start:
                starts[value.id] = start
                if self.randomness == "different":
                    end = start + (end - start) * self.size
                    self.rec.generators[generator] = value, end
        if starts and self.randomness == "error":
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please "
                "either use the 'same' or 'different' randomness flags on vmap or "
                "perform the randomness operation out of vmap"
            )
        if not starts or self.randomness == "same":
            return None
        return Draws(starts, self.start.id, self.size)

    def _differing(self) -> set[int]:
        """The ids of values that Python still holds and that differ by example."""
        values = [s.value for s in _storages(self.rec)]
        values += [shadow.value for shadow in self.rec.shadows.values()]
        values += self._numbers()
        return depends(values, self.sources) if self.sources else set()

    def _numbers(self) -> list[Value]:
        """The values of Python numbers that are followed and still held."""
        held = self.rec.following.held() if self.rec.following else ()
        return [x._value for x in held]

    def _check_writes(self) -> None:
        """TraceError when what all examples share was written with one's numbers."""
        differing = self._differing()
        shared = [s.value for s in self.storages]
        shared += [shadow.value for shadow in self.rec.shadows.values()]
        for slot, _ in self.rec.written.values():
            now = slot.get()
            shared += [now._storage.value] if isinstance(now, Tensor) else []
        for v in shared:
            if v is not None and v.id in differing:
                raise TraceError(
                    f"{v.line or 'vmap'}: a tensor that all examples of vmap share is "
                    "written with numbers that differ by example. Return them from "
                    "the function, or map over that tensor too"
                )

    def __enter__(self) -> "Scope":
        return self

    def __exit__(self, *exc: Any) -> None:
        differing = self._differing()
        self._restore(differing)
        kept = []
        for ref in self.rec.made:
            t = ref()
            if t is not None and t._storage.maker is self.rec:
                value = t._storage.value
                if value is not None and value.id in differing:
                    _bury(t)
                    continue
            kept.append(ref)
        self.rec.made = kept
        if exc[0] is None:
            self._check_numbers(differing)

    def _check_numbers(self, differing: set[int]) -> None:
        for v in self._numbers():
            if v.id in differing:
                raise TraceError(
                    f"{v.line or 'vmap'}: a number of one example is kept beyond the "
                    "end of vmap. Return the tensor from the function instead"
                )

    def _restore(self, differing: set[int]) -> None:
        """After an error: what all examples share is as it was before."""
        rec = self.rec
        for key, (slot, first) in [*rec.written.items()]:
            now = slot.get()
            if isinstance(now, Tensor) and _id(now._storage.value) in differing:
                slot.set(self.slots.get(key, first))
        for s, (value, version) in self.storages.items():
            if _id(s.value) in differing:
                s.value, s.version = value, version
        for s, shadow in [*rec.shadows.items()]:
            if shadow.value.id in differing:
                if s in self.shadows:
                    shadow.value, shadow.version = self.shadows[s]
                else:
                    del rec.shadows[s]


def _id(v: Optional[Value]) -> Optional[int]:
    return None if v is None else v.id


def _storages(rec: Any) -> list:
    """The storages made in this recording that Python still holds."""
    alive = (ref() for ref in rec.made)
    found = (t._storage for t in alive if t is not None)
    return list({s: None for s in found if s.maker is rec and s.value is not None})


class _Gone:
    """Stands for the numbers of a tensor that was kept beyond its `vmap`."""

    def __init__(self, line: Optional[str]):
        self._line = line

    def __getattr__(self, name: str) -> Any:
        raise TraceError(
            f"a tensor of one example, made at {self._line}, is used after the end of "
            "vmap, where it was never computed: return it from the function instead"
        )


def _bury(t: Tensor) -> None:
    """A tensor of one example that somebody kept says so when it is used."""
    gone = _Gone(t._storage.value.line)  # type: ignore[union-attr]
    t._storage.maker = t._storage.value = t._value = None
    t._storage.array = t._array = gone
    t._steps = ()


def _moved(value: Value, axis: int) -> Value:
    rest = list(range(1 - value.ndim, 0))
    return value.permute((*rest[:axis], -value.ndim, *rest[axis:]))


class Made:
    """Values batched, in as many pieces as the chunk size asks for."""

    def __init__(self, scope: Scope, values: list[Value], draws: Optional[Draws]):
        self.rec, self.size, self.walks = scope.rec, scope.size, []
        cuts = pieces(scope.size, scope.chunk)
        for first, count in cuts:
            part = draws and draws._replace(first=first)
            mapped = scope.mapped
            if len(cuts) > 1:
                mapped = {i: piece(v, first, count) for i, v in mapped.items()}
            walk = Batching(count, mapped, part)
            walk.run(values)
            self.walks.append(walk)

    def differs(self, t: Tensor) -> bool:
        """Whether a result has other numbers for each example."""
        return self.rec.value_of(t).id in self.walks[0].known

    def of(self, t: Tensor) -> Value:
        """A result of all examples, along a first axis."""
        return self.all(self.rec.value_of(t))

    def all(self, v: Value) -> Value:
        """A value of all examples, along a first axis."""
        if v.id not in self.walks[0].known:
            return v.expand((self.size, *v.shape))
        return joined([walk.known[v.id] for walk in self.walks])
