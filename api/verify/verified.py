"""A jitted function that is checked at every call against the plain one."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Iterator, Optional

import numpy as np

from ...tracer.elsewhere import away
from ...tracer.errors import VerifyError
from ...tracer.interpret import values
from ...tracer.record import state
from ...tracer.types import bfloat16, float16, float32, float64
from ..backends import ORACLE, gpu_programs, using
from ..config import config
from ..jit.jitted import Jitted
from ..tensor import Tensor
from .compare import apart, difference, left_behind, on_host
from .locate import Sandboxed, first_difference, other_program, sandboxed, tensors
from .oracle import Oracle
from .reach import roots_of
from .snapshot import Snapshot

__all__ = ["Verified", "verified"]

# How much further than plain Python from a float64 reference it may be: so many times,
# or this part of the largest number.
_WORSE = 8
_LEAST = {float16: 1e-2, bfloat16: 5e-2, float32: 4e-6, float64: 1e-13}


class Verified(Jitted):
    """What `jit(f, verify=True)` gives.

    Each call runs the plain function, puts everything that it changed back, and then
    runs the compiled one; what both returned and wrote must agree, each type as far as
    it goes. VerifyError, with everything as it was before the call, says what does not
    and names the first operation that differs. What cannot be put back (files, output,
    other people's objects) happens twice.
    """

    _wide = False  # whether a float64 reference is asked as well

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if state.recorder is not None or config.disable_jit:
            return self.__wrapped__(*args, **kwargs)
        return _Check(self, args, kwargs).run(super().__call__)


def verified(
    function: Callable, dynamic_shapes: Any, backend: Optional[str], verify: Any
) -> Verified:
    """`function`, verified; ValueError unless `verify` is True or "float64"."""
    if verify is not True and verify != "float64":
        raise ValueError(f"verify is False, True or 'float64', not {verify!r}")
    made = Verified(function, dynamic_shapes, backend)
    made._wide = verify == "float64"
    return made


@contextmanager
def _plainly() -> Iterator[None]:
    """Nothing is compiled in here: not by other functions, not for gradients, and
    not for a GPU, whose tensors are computed with on copies in host memory."""
    before, config.disable_jit = config.disable_jit, True
    try:
        with ExitStack() as inside:
            inside.enter_context(using(ORACLE))
            if away.used:
                inside.enter_context(gpu_programs.made_by(Oracle))
            yield
    finally:
        config.disable_jit = before


class _Check:
    """One call, both ways."""

    def __init__(self, jitted: Verified, args: tuple, kwargs: dict):
        self.jitted, self.args, self.kwargs = jitted, args, kwargs
        self.function = jitted.__wrapped__
        self.roots = roots_of(self.function, args, kwargs)
        self.before = Snapshot(self.roots)

    def run(self, compiled: Callable) -> Any:
        """The compiled function's answer. VerifyError where it is another."""
        program = self.program() if self.jitted._wide else None
        with _plainly():
            expected, plain, error = self.once(self.function)
        self.before.restore()
        answer, now, failure = self.once(compiled)
        why = _outcomes(error, failure) or difference(plain, now)
        if why is None and program is not None and error is None:
            why = _beside_reference(program, expected, answer)
        if why is not None:
            self.complain(why)
        if failure is not None:
            raise failure
        return answer

    def once(self, function: Callable) -> tuple[Any, dict, Optional[BaseException]]:
        """(result, what is left behind, what was raised)."""
        try:
            result = function(*self.args, **self.kwargs)
        except Exception as error:
            return None, left_behind(self.roots), error
        found = left_behind([("the result", result), *self.roots])
        return result, found, None

    def program(self) -> Sandboxed:
        """The program as plain Python would run it from here."""
        try:
            name = self.jitted._name
            return sandboxed(name, self.function, self.args, self.kwargs)
        finally:
            self.before.restore()

    def complain(self, why: str) -> None:
        """Find the operation; leave everything as it was."""
        self.before.restore()
        with using(self.jitted._backend):
            program = self.program()
            where = first_difference(program) or self.stale(program)
        raise VerifyError(
            f"{self.jitted._name}: {why}\nThe first that differs: {where}"
        )

    def stale(self, program: Sandboxed) -> str:
        """Every kernel is right: then it is a program for something else."""
        for entry in self.jitted._recent[:1]:
            for path in entry.tree.paths:
                found = other_program(program.graph, path.program)
                if found:
                    return found
        return "no operation by itself; what is done with the results"


def _outcomes(plain: Optional[BaseException], compiled: Any) -> Optional[str]:
    """How two calls differ in what they raised."""
    if type(plain) is type(compiled):
        return None
    said = [f"raises {e!r}" if e is not None else "returns" for e in (plain, compiled)]
    return f"plain Python {said[0]}, the compiled function {said[1]}"


def _beside_reference(program: Sandboxed, plain: Any, compiled: Any) -> Optional[str]:
    """Whether a result is much further from the float64 one than plain Python's."""
    known = values(program.graph, program.arrays, wide=True)
    outputs = program.graph.outputs[: program.results]
    for i, (v, a, b) in enumerate(zip(outputs, tensors(plain), tensors(compiled))):
        right, least = known[v.id], _LEAST.get(a.dtype, 0) * _largest(known[v.id])
        if _error(right, b) > _WORSE * _error(right, a) + least:
            return (
                f"result {i} is further from a float64 reference than in plain Python: "
                f"{_error(right, b):.3g}, not {_error(right, a):.3g}"
            )
    return None


def _error(right: np.ndarray, t: Tensor) -> float:
    found = on_host(t._array)
    with np.errstate(all="ignore"):
        off = np.abs(right - found.astype(np.float64))
    return float(off[apart(right, found, 1e-300)].max(initial=0))


def _largest(right: np.ndarray) -> float:
    return float(np.abs(right).max(initial=0))
