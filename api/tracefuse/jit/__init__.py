"""`tracefuse.jit`: the decorator, and the module with `trace`, `save` and `load`."""

from tracefuse.api.program.face import *
from tracefuse.api.program.module import install as _install
from tracefuse.api.program.module import jit as jit

_face = _install(__name__)
