"""tracefuse: PyTorch-style Python, recorded once, fused and compiled.

    import tracefuse as torch

What is public is what stands here; each line names where it lives.
"""

import typing as _typing

from tracefuse.api.arrays.alike import *
from tracefuse.api.math.arithmetic import *
from tracefuse.api.arrays.attributes import *
from tracefuse.api.math.bounds import *
from tracefuse.api.math.combine import *
from tracefuse.api.math.comparison import *
from tracefuse.api.arrays.constants import *
from tracefuse.api.control.branches import *
from tracefuse.api.control.folds import *
from tracefuse.api.control.loops import *
from tracefuse.api.arrays.creation import *
from tracefuse.api.device import *
from tracefuse.api.dtypes import *
from tracefuse.api.math.einsum import *
from tracefuse.api.math.extrema import *
from tracefuse.api.arrays.fill import *
from tracefuse.api.arrays.gathering import *
from tracefuse.api.random.generator import *
from tracefuse.api.arrays.grad_fn import *
from tracefuse.api.arrays.grids import *
from tracefuse.api.arrays.indexing import *
from tracefuse.api.arrays.inplace import *
from tracefuse.api.arrays.interop import *
from tracefuse.api.arrays.joining import *
from tracefuse.api.arrays.memory import *
from tracefuse.api.arrays.legacy import *
from tracefuse.api.math.integrals import *
from tracefuse.api.math.middle import *
from tracefuse.api.math.moments import *
from tracefuse.api.random.multinomial import *
from tracefuse.api.math.norms import *
from tracefuse.api.arrays.parts import *
from tracefuse.api.math.pointwise import *
from tracefuse.api.arrays.printing import *
from tracefuse.api.math.products import *
from tracefuse.api.random.draws import *
from tracefuse.api.math.reductions import *
from tracefuse.api.arrays.repeating import *
from tracefuse.api.math.scans import *
from tracefuse.api.arrays.scattering import *
from tracefuse.api.arrays.searching import *
from tracefuse.api.arrays.shapes import *
from tracefuse.api.arrays.shared import *
from tracefuse.api.arrays.sorting import *
from tracefuse.api.arrays.spacing import *
from tracefuse.api.tensor import *
from tracefuse.api.transforms.gradients import *
from tracefuse.api.transforms.jacobians import *
from tracefuse.api.transforms.linear import *
from tracefuse.api.transforms.mapping import *
from tracefuse.api.transforms.modules import *
from tracefuse.api.math.triangles import *
from tracefuse.api.math.trigonometry import *
from tracefuse.api.amp.autocast import *
from tracefuse.api.gradmode import *
from tracefuse.api.precision import *
from tracefuse.api.nn.functional.activation import celu, prelu, selu, threshold
from tracefuse.api.autograd.gradients import backward as _backward  # methods
from tracefuse.api.autograd.hooks import register_hook as _register_hook  # methods
from tracefuse.api.config import config as config
from tracefuse.api.version import __version__ as __version__
from tracefuse.tracer.errors import *
from tracefuse.tracer.sizes import Dim as Dim
from tracefuse.tracer.later import late as _late

# Imported when first used: much of what `import tracefuse` would cost.
__getattr__, __dir__ = _late(
    __name__,
    "accelerator amp autograd backends cpu cuda data distributions func jit linalg nn "
    "optim profiler testing utils",
    checkpoint="tracefuse.api.autograd.remat",
    custom_jvp="tracefuse.api.autograd.custom_jvp",
    custom_vjp="tracefuse.api.autograd.custom_vjp",
    load="tracefuse.api.files.saving",
    profile="tracefuse.api.profiler.printed",
    save="tracefuse.api.files.saving",
)
if _typing.TYPE_CHECKING:
    from tracefuse.api.autograd.custom_jvp import *
    from tracefuse.api.autograd.custom_vjp import *
    from tracefuse.api.autograd.remat import checkpoint as checkpoint
    from tracefuse.api.files.saving import *
    from tracefuse.api.profiler.printed import *
    from tracefuse import accelerator as accelerator
    from tracefuse import amp as amp
    from tracefuse import autograd as autograd
    from tracefuse import backends as backends
    from tracefuse import cpu as cpu
    from tracefuse import cuda as cuda
    from tracefuse import data as data
    from tracefuse import distributions as distributions
    from tracefuse import func as func
    from tracefuse.jit import jit as jit  # a module to import, a function to call
    from tracefuse import linalg as linalg
    from tracefuse import nn as nn
    from tracefuse import optim as optim
    from tracefuse import profiler as profiler
    from tracefuse import testing as testing
    from tracefuse import utils as utils
