"""`tracefuse.jit`: the decorator, and the module with `trace`, `save` and `load`."""

import sys
import types
from typing import Any

from tracefuse.api.jit.jitted import jit as jit


class _Callable(types.ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return jit(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
