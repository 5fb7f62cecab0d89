"""What a module consists of: parameters, buffers and modules, by name."""

from __future__ import annotations

from typing import Any, Iterator, Optional

from ..tensor import Tensor
from .parameter import Parameter

__all__ = ["Members"]


class Members:
    """The part of a module that lists what belongs to it.

    What is reachable by several names is listed once, under the first.
    """

    _parameters: dict[str, Optional[Parameter]]
    _buffers: dict[str, Optional[Tensor]]
    _modules: dict[str, Any]

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, those of modules below included."""
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter) pairs.

        >>> from tracefuse import nn
        >>> [name for name, _ in nn.Sequential(nn.Linear(2, 3)).named_parameters()]
        ['0.weight', '0.bias']
        """
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, those of modules below included."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, buffer) pairs."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Any]:
        """The modules directly below."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """(name, module) of the modules directly below."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self) -> Iterator[Any]:
        """This module and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_modules(
        self,
        memo: Optional[set] = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        """(dotted name, module) of this module (named `prefix`) and all below it."""
        seen: set = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                below = _join(prefix, name)
                yield from module.named_modules(seen, below, remove_duplicate)

    def _named(
        self, place: str, prefix: str, recurse: bool, once: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set = set()
        homes = self.named_modules(None, prefix, once) if recurse else [(prefix, self)]
        for above, module in homes:
            for name, t in getattr(module, place).items():
                if t is None or t in seen:
                    continue
                if once:
                    seen.add(t)
                yield _join(above, name), t

    def get_submodule(self, target: str) -> Any:
        """The module with that dotted name ("" is this one). AttributeError if none."""
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Members):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with that dotted name. AttributeError if there is none."""
        return self._get(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with that dotted name. AttributeError if there is none."""
        return self._get(target, "_buffers", "a buffer")

    def _get(self, target: str, place: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in getattr(module, place):
            raise AttributeError(f"`{name}` is not {what}")
        return getattr(module, name)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
