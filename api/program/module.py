"""`tracefuse.jit`: a module with `trace` and the rest that is the decorator as well."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..jit.callable import CallableModule
from . import face

__all__ = ["JitModule", "install", "jit"]


class JitModule(CallableModule):
    """The module `tracefuse.jit`, which can be called."""

    trace = staticmethod(face.trace)
    script = staticmethod(face.script)
    save = staticmethod(face.save)
    load = staticmethod(face.load)
    Program = face.Program
    Script = face.Script


if TYPE_CHECKING:
    jit: JitModule  # as which the face makes itself known
else:
    from ..jit.decorator import jit


def install(name: str) -> Any:
    """Make the module of that name callable, and known to itself as `jit`."""
    module: Any = sys.modules[name]
    module.__class__ = JitModule
    module.jit = module
    return module
