"""Modules that hold modules: in a row, in a list, by name."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, Iterable, Iterator, Optional

from .module import Module

__all__ = ["Sequential", "ModuleList", "ModuleDict"]


class Listed(Module):
    """Children numbered "0", "1", ... as one sequence."""

    def _children(self) -> list:
        return list(self._modules.values())

    def _rebuild(self, children: Iterable) -> None:
        """Number the children anew."""
        for name in list(self._modules):
            delattr(self, name)
        for i, child in enumerate(children):
            self.add_module(str(i), child)

    def _number(self, index: Any) -> int:
        index, count = operator.index(index), len(self)
        if not -count <= index < count:
            raise IndexError(f"index {index} is out of range")
        return index % count

    def _key(self, index: Any) -> str:
        return list(self._modules)[self._number(index)]

    def _some(self, index: slice) -> Any:
        return type(self)(self._children()[index])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._some(index)
        return self._modules[self._key(index)]

    def __setitem__(self, index: Any, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: Any) -> None:
        children = self._children()
        del children[index if isinstance(index, slice) else self._number(index)]
        self._rebuild(children)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator:
        return iter(self._modules.values())

    def append(self, module: Module) -> Any:
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable) -> Any:
        """Add several modules at the end; returns the container.

        TypeError when `modules` cannot be iterated over.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but "
                f"got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before position `index`."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        children = self._children()
        count = len(children)
        if not -count <= index <= count:
            raise IndexError(f"Index out of range: {index}")
        children.insert(index, module)
        self._rebuild(children)
        return self

    def pop(self, index: Any) -> Module:
        """Take the module at a position out."""
        found = self[index]
        del self[index]
        return found

    def __dir__(self) -> list:
        return [name for name in super().__dir__() if not name.isdigit()]


class Sequential(Listed):
    """Modules one after the other: each receives what the one before returned.

    Takes modules, or one OrderedDict of them by name.

    >>> from tracefuse import nn
    >>> Sequential(nn.Linear(2, 3), nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Any):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            named = list(args[0].items())
        else:
            named = [(str(i), module) for i, module in enumerate(args)]
        for name, module in named:
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        """What the last module returns."""
        for module in self._modules.values():
            input = module(input)
        return input

    def _some(self, index: slice) -> "Sequential":
        return type(self)(dict(list(self._modules.items())[index]))

    def __add__(self, other: Any) -> "Sequential":
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> "Sequential":
        if not isinstance(other, Sequential):
            return NotImplemented
        return self.extend(other)

    def __mul__(self, times: Any) -> "Sequential":
        if not isinstance(times, int):
            return NotImplemented
        if times <= 0:
            raise ValueError(
                f"Non-positive multiplication factor {times} for Sequential"
            )
        return Sequential(*(list(self) * times))

    __rmul__ = __mul__


class ModuleList(Listed):
    """A list of modules, all of them known to the module that holds it."""

    def __init__(self, modules: Optional[Iterable] = None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __add__(self, other: Iterable) -> "ModuleList":
        return ModuleList([*self, *other])

    def __iadd__(self, modules: Iterable) -> "ModuleList":
        return self.extend(modules)

    def __repr__(self) -> str:
        groups: list[list] = []  # [first, last, text] of equal neighbours
        for i, text in enumerate(map(repr, self)):
            if groups and groups[-1][2] == text:
                groups[-1][1] = i
            else:
                groups.append([i, i, text])
        if not groups:
            return f"{self._get_name()}()"
        lines = [_line(*group) for group in groups]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def _line(first: int, last: int, text: str) -> str:
    if first != last:
        return f"({first}-{last}): {last - first + 1} x " + text.replace("\n", "\n  ")
    return f"({first}): " + text.replace("\n", "\n  ")


class ModuleDict(Module):
    """Modules by name, in the order they were added."""

    def __init__(self, modules: Any = None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        for key in list(self._modules):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take one module out."""
        found = self[key]
        del self[key]
        return found

    def keys(self) -> Any:
        """The names."""
        return self._modules.keys()

    def items(self) -> Any:
        """(name, module) pairs."""
        return self._modules.items()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Add those of a mapping, or of (name, module) pairs."""
        if isinstance(modules, (Mapping, ModuleDict)):
            modules = modules.items()
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value "
                f"pairs, but got {type(modules).__name__}"
            )
        for key, module in modules:
            self[key] = module
