"""tracefuse: PyTorch-style Python, recorded once, fused and compiled.

    import tracefuse as torch

What is public is what stands here; each line names where it lives.
"""

import typing as _typing

from tracefuse.api.alike import *
from tracefuse.api.arithmetic import *
from tracefuse.api.attributes import *
from tracefuse.api.bounds import *
from tracefuse.api.combine import *
from tracefuse.api.comparison import *
from tracefuse.api.constants import *
from tracefuse.api.creation import *
from tracefuse.api.device import *
from tracefuse.api.dtypes import *
from tracefuse.api.einsum import *
from tracefuse.api.extrema import *
from tracefuse.api.fill import *
from tracefuse.api.gathering import *
from tracefuse.api.generator import *
from tracefuse.api.grad_fn import *
from tracefuse.api.grids import *
from tracefuse.api.indexing import *
from tracefuse.api.inplace import *
from tracefuse.api.interop import *
from tracefuse.api.joining import *
from tracefuse.api.legacy import *
from tracefuse.api.middle import *
from tracefuse.api.moments import *
from tracefuse.api.multinomial import *
from tracefuse.api.norms import *
from tracefuse.api.parts import *
from tracefuse.api.pointwise import *
from tracefuse.api.printing import *
from tracefuse.api.products import *
from tracefuse.api.random import *
from tracefuse.api.reductions import *
from tracefuse.api.repeating import *
from tracefuse.api.saving import *
from tracefuse.api.scans import *
from tracefuse.api.scattering import *
from tracefuse.api.searching import *
from tracefuse.api.shapes import *
from tracefuse.api.sorting import *
from tracefuse.api.spacing import *
from tracefuse.api.tensor import *
from tracefuse.api.transforms import *
from tracefuse.api.triangles import *
from tracefuse.api.trigonometry import *
from tracefuse.api.gradmode import *
from tracefuse.api.nn.functional.activation import celu, prelu, selu, threshold
from tracefuse.api.autograd import backward as _backward  # gives Tensor its method
from tracefuse.api.version import __version__ as __version__
from tracefuse.tracer.errors import *
from tracefuse.tracer.sizes import Dim as Dim
from tracefuse.jit import _face as jit  # a module to import, a function to call
from tracefuse.tracer.later import submodules as _submodules

# Imported when first used: much of what `import tracefuse` would cost.
__getattr__, __dir__ = _submodules(
    __name__, "autograd cuda data func linalg nn optim utils"
)
if _typing.TYPE_CHECKING:
    from tracefuse import autograd as autograd
    from tracefuse import cuda as cuda
    from tracefuse import data as data
    from tracefuse import func as func
    from tracefuse import linalg as linalg
    from tracefuse import nn as nn
    from tracefuse import optim as optim
    from tracefuse import utils as utils
