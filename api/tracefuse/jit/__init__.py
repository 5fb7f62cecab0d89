"""`tracefuse.jit`: the decorator, and the module with `trace`, `save` and `load`."""

import sys as _sys

from tracefuse.api.jit.callable import CallableModule as _CallableModule
from tracefuse.api.jit.jitted import jit as jit
from tracefuse.api.program.face import *

_face: _CallableModule = _sys.modules[__name__]  # type: ignore[assignment]
_face.__class__ = _CallableModule
