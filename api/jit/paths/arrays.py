"""NumPy's arrays among the arguments: inputs of the program, read anew at each call.

Where a tensor is made of such an array, the program takes its numbers from whatever
array is given there. If code looks at the numbers by other means, they are compared.
"""

from __future__ import annotations

import types
from typing import Any, Callable, Iterator, Optional

import numpy as np

from ....tracer.types import BY_NUMPY
from ....tracer.watching.arguments import argument_taken_by
from ....tracer.watching.mutation import asks_for_identity
from ....tracer.watching.pins import Pins
from ....tracer.watching.scopes import Names
from ....tracer.where import is_our_file
from ...arrays.creation import as_tensor, asarray, tensor
from ...arrays.shared import from_numpy
from ..recording import Recording
from .path import NotKept

__all__ = ["arrays_of", "is_array", "numbers_of", "rely_on_arrays"]

_MOST = 1 << 20  # bytes that are compared at each call
# They do not look at the numbers of their first argument, or make a tensor of it.
_HARMLESS = frozenset(
    map(id, (len, isinstance, tensor, as_tensor, asarray, from_numpy))
)


def is_array(x: Any) -> bool:
    """Whether it is an array that tensors can share memory with."""
    return (
        type(x) is np.ndarray
        and x.dtype in BY_NUMPY
        and x.dtype.isnative
        and all(step >= 0 for step in x.strides)
    )


def arrays_of(leaves: list) -> dict[int, np.ndarray]:
    """The arrays among the arguments, by number."""
    return {i: x for i, x in enumerate(leaves) if is_array(x)}


def numbers_of(arrays: dict[int, np.ndarray]) -> dict[int, bytes]:
    """What is in them, where that is not too much to be compared."""
    return {i: x.tobytes() for i, x in arrays.items() if x.nbytes <= _MOST}


def rely_on_arrays(
    recording: Recording,
    pins: Pins,
    function: Callable,
    entry: Any,
    restless: Callable[[int, bytes], bool],
) -> None:
    """Rely on the numbers of the arrays that not only tensors were made of.

    NotKept where a run changed such numbers. `restless(i, numbers)` tells of the array
    with that number whether they have been others too often.
    """
    if not recording.arrays:
        return
    _check_parts(recording, pins)
    compared = pins.compares_numbers()
    for i, x in _looked_at(recording, function, entry.spec):
        compared = True
        if x.nbytes > _MOST or restless(i, recording.before[i]):
            pins.arrays.append(_LOOKED_AT.format(x.shape))
        elif x.tobytes() != recording.before[i]:
            raise NotKept("it changes an array that it was given")
        else:
            entry.leaves[i] = entry.leaves[i]._replace(numbers=recording.before[i])
    if compared and _writes(recording):
        raise NotKept(
            "it writes to an array it was given, and looks at the numbers of one"
        )
    if asks_for_identity(pins.codes) and pins.found:
        raise NotKept("it may ask which of several arrays it was given")


_LOOKED_AT = (
    "the numbers of an array of shape {} among its arguments, not by tensors alone"
)


def _looked_at(
    recording: Recording, function: Callable, spec: Any
) -> Iterator[tuple[int, np.ndarray]]:
    """(number, array) for those of which not only tensors were made."""
    met, names = recording.rec.arrays, dict(_names(function, spec))
    for i, x in recording.arrays.items():
        sites = met[id(x)].sites if id(x) in met else set()
        if not _goes_to_tensors(names.get(i), sites, function):
            yield i, x


def _check_parts(recording: Recording, pins: Pins) -> None:
    """Tensors are made of the arrays themselves, not of what lies in their memory."""
    given = {id(x): x for x in recording.arrays.values()}
    captured = set(map(id, pins.found))
    for key, met in recording.rec.arrays.items():
        if key not in given and key not in captured:
            if any(np.may_share_memory(met.array, x) for x in given.values()):
                raise NotKept("it makes a tensor of a part of an array it was given")


def _writes(recording: Recording) -> bool:
    """Whether it writes to an array it was given: others may lie there next time."""
    written = {id(storage) for storage, _ in recording.writes}
    met = recording.rec.arrays
    made = (met[id(x)].made for x in recording.arrays.values() if id(x) in met)
    return any(id(t._storage) in written for some in made for t in some)


def _goes_to_tensors(name: Optional[str], sites: set, function: Callable) -> bool:
    if name is None:
        return False
    own = _own(_called(function))
    return argument_taken_by(
        sites, name, own.__code__, lambda names: _led_to(own, names) in _HARMLESS
    )


def _led_to(own: types.FunctionType, names: tuple[str, ...]) -> Any:
    """The id of what a global and attributes from there are, in modules."""
    found: Any = Names(own.__globals__).get(names[0])
    for name in names[1:]:
        module = isinstance(found, types.ModuleType)
        found = vars(found).get(name) if module else None
    return id(found)


def _called(function: Any) -> Any:
    """The function or method that gets the arguments themselves; None if another may
    see them before."""
    if isinstance(function, (types.FunctionType, types.MethodType)):
        return function
    call = getattr(type(function).__call__, "__code__", None)
    if call is None or not is_our_file(call.co_filename):
        return None
    hooks = [getattr(function, f"_forward_{kind}", None) for kind in _HOOKS]
    return None if any(hooks) else getattr(function, "forward", None)


_HOOKS = ("hooks", "pre_hooks")


def _own(called: Any) -> Any:
    """The function, without what it is bound to."""
    return getattr(called, "__func__", called)


def _names(function: Callable, spec: Any) -> Iterator[tuple[int, str]]:
    """(number, parameter) of the arguments that are no containers."""
    called = _called(function)
    own = _own(called)
    if not isinstance(own, types.FunctionType):
        return
    code, count = own.__code__, own.__code__.co_argcount
    names, at = code.co_varnames[: count + code.co_kwonlyargcount], 0
    args, kwargs = spec.below
    for k, below in enumerate(args.below, int(own is not called)):
        if below is None and k < count:
            yield at, names[k]
        at += _leaves(below)
    for name, below in zip(kwargs.keys, kwargs.below):
        if below is None and name in names:
            yield at, name
        at += _leaves(below)


def _leaves(spec: Any) -> int:
    return 1 if spec is None else sum(map(_leaves, spec.below))
