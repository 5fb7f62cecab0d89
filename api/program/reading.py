"""Reading one path of a program: each field against the graph and the signature."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Optional

from ...tracer.errors import FormatError, TracefuseError
from ...tracer.graph import Graph, Value, make, placeholder
from ...tracer.schema import ATTRS, check
from ...tracer.sizes import Dim, Int, same_shape, substitute
from ...tracer.types import BY_NUMPY, DType, int64
from ..jit.unpack import Kind
from ..tensor import Tensor
from .fields import Field
from .plan import STEPS, Place, Plan
from .signature import Signature
from .trees import Tree, value_of

__all__ = ["Reader"]

MOST_STEPS = 100
SIGNS = ("==", "<", "<=", ">", ">=")


class Type(NamedTuple):
    """Shape and element type of what stands at a place."""

    shape: tuple
    dtype: DType

    def fits(self, v: Any) -> bool:
        """Whether a value is of that type, by algebra."""
        return self.dtype is v.dtype and same_shape(self.shape, v.shape)

    def __str__(self) -> str:
        return f"{self.dtype.short}[{', '.join(map(str, self.shape))}]"
