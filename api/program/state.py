"""The tensors of a program and their names: those that people know them by.

What a function can reach is looked through once: modules name their parameters and
buffers, optimizers what they remember of each parameter.
"""

from __future__ import annotations

import functools
import types
from typing import Any, Iterable, Iterator, Optional, Sequence

from ...tracer.types import float64
from ...tracer.watching.codes import is_foreign
from ...tracer.watching.owners import is_users_class
from ..arrays.fill import full
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..tensor import Tensor

__all__ = ["State", "mode_of"]

_MOST = 10_000  # objects that are looked through
_SMALL = 64  # items of a container that is


class State:
    """The tensors of a program, by name: the module's own names where there are.

    `arguments` are names for the leaves of the arguments, for people to read.
    """

    def __init__(self, function: Any, arguments: Sequence[str] = ()) -> None:
        self.function, self.arguments = function, arguments
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[Any, str] = {}
        self._taken: set[str] = set()
        found = list(roots(function))
        modules = [(at, x) for at, x in found if isinstance(x, Module)]
        for at, module in sorted(modules, key=lambda pair: -_count(pair[1])):
            self._name_module(at, module)
        for at, x in found:
            if isinstance(x, Tensor) and at and id(x) not in self._names:
                self._give(id(x), at)
        for at, x in found:
            if isinstance(x, Optimizer):
                self._name_optimizer(at, x)

    def _name_module(self, at: str, module: Module) -> None:
        """The largest keeps its names; others have that of their variable before."""
        rows = [*module.named_parameters(), *module.named_buffers(), *_plain(module)]
        new = [(name, t) for name, t in rows if id(t) not in self._names]
        dot = f"{at}." if self._names and at else ""
        for name, t in new:
            self._give(id(t), dot + name)

    def _name_optimizer(self, at: str, optimizer: Optimizer) -> None:
        for i, group in enumerate(optimizer.param_groups):
            place = at if len(optimizer.param_groups) == 1 else f"{at}.{i}"
            for key, value in group.items():
                if isinstance(value, float):
                    self._give((id(group), key), f"{place}.{key}")
            for n, p in enumerate(group["params"]):
                of = self._names.get(id(p), str(n))
                for key, t in optimizer.state.get(p, {}).items():
                    if isinstance(t, Tensor) and id(t) not in self._names:
                        self._give(id(t), f"{at}.{of}.{key}")

    def _give(self, key: Any, name: str) -> str:
        """That name, or that with a number where it is taken."""
        found, n = name, 0
        while found in self._taken:
            found, n = f"{name}~{n + 1}", n + 1
        self._taken.add(found)
        self._names[key] = found
        return found

    def name(self, t: Tensor) -> str:
        """The name of `t`, which from now on belongs to the program."""
        name = self._names.get(id(t)) or self._give(id(t), self._free())
        self.tensors[name] = t
        return name

    def number(self, owner: Any, key: Any) -> str:
        """The name of a number that is read anew at each call (a learning rate).

        The program gets a tensor of its own that begins with the same number.
        """
        known = self._names.get((id(owner), key))
        name = known or self._give((id(owner), key), str(key))
        if name not in self.tensors:
            self.tensors[name] = full((), float(owner[key]), dtype=float64)
        return name

    def _free(self) -> str:
        count = 0
        while f"captured.{count}" in self._taken:
            count += 1
        return f"captured.{count}"


def mode_of(function: Any) -> Optional[bool]:
    """`training` of the modules a function reaches; None where there is no one mode."""
    modes = {x.training for _, x in roots(function) if isinstance(x, Module)}
    return modes.pop() if len(modes) == 1 else None


def roots(function: Any) -> Iterator[tuple[str, Any]]:
    """(name, object) of the modules, optimizers and tensors that a callable is, is
    bound to, or finds by name: in its variables, and in plain objects and small
    containers that stand there."""
    waiting: list[tuple[str, Any]] = [("", getattr(function, "__self__", function))]
    waiting.append(("", getattr(function, "__func__", function)))
    seen: dict[int, Any] = {}
    while waiting and len(seen) < _MOST:
        name, x = waiting.pop(0)
        if id(x) in seen:
            continue
        seen[id(x)] = x
        if isinstance(x, (Module, Optimizer, Tensor)):
            yield name, x
        else:
            waiting += _below(name, x)


def _below(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(x, types.MethodType):
        yield from ((name, x.__self__), (name, x.__func__))
    elif isinstance(x, functools.partial):
        yield from ((name, part) for part in (x.func, *x.args, *x.keywords.values()))
    elif isinstance(x, types.FunctionType):
        yield from () if is_foreign(x.__code__) else _named(x)
        yield name, getattr(x, "__wrapped__", None)
    elif type(x) in (list, tuple, dict) and len(x) <= _SMALL:
        rows = x.items() if isinstance(x, dict) else enumerate(x)
        yield from ((f"{name}.{key}" if name else str(key), v) for key, v in rows)
    elif is_users_class(type(x)) and not isinstance(x, (type, types.ModuleType)):
        yield from [*getattr(x, "__dict__", {}).items()]


def _named(f: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in _names_in(f.__code__):
        if name in f.__globals__:
            yield name, f.__globals__[name]


def _names_in(code: types.CodeType) -> Iterable[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return [*code.co_names, *(name for c in inner for name in _names_in(c))]


def _plain(module: Module) -> Iterator[tuple[str, Tensor]]:
    """Tensors that are attributes of modules and nothing else."""
    for at, below in module.named_modules():
        for name, t in vars(below).items():
            if isinstance(t, Tensor):
                yield f"{at}.{name}" if at else name, t


def _count(module: Module) -> int:
    return sum(1 for _ in module.named_parameters())
