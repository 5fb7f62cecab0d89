# ruff: noqa
"""What type checkers are told of the methods that other files give to Tensor.

Written by tests/declare_methods.py from the methods themselves; a test compares.
"""

import builtins
from typing import Any, Callable, Iterator, Optional, Sequence, Union

import numpy as np
from typing_extensions import Self

from ..tracer.algebra import Algebra
from ..tracer.types import DType
from .gpu.streams import Stream
from .handles import RemovableHandle
from .math.extrema import Found
from .math.extrema import MinMax
from .tensor import Tensor

class Declared(Algebra):
    @property
    def H(self) -> Tensor: ...
    @property
    def T(self) -> Tensor: ...
    def __abs__(self, *, out: Optional[Tensor] = ...) -> Tensor: ...
    def __add__(self, other: Any) -> Tensor: ...
    def __and__(self, other: Any) -> Tensor: ...
    def __array__(self, dtype: Any = ..., copy: Optional[builtins.bool] = ...) -> Any: ...
    def __array_wrap__(self, array: Any, context: Any = ..., scalar: builtins.bool = ...) -> Any: ...
    def __bool__(self) -> builtins.bool: ...
    def __complex__(self) -> builtins.complex: ...
    def __contains__(self, element: Any) -> builtins.bool: ...
    def __copy__(self) -> Tensor: ...
    @property
    def __cuda_array_interface__(self) -> Any: ...
    def __deepcopy__(self, memo: builtins.dict) -> Tensor: ...
    def __dlpack__(self, **options: Any) -> Any: ...
    def __dlpack_device__(self) -> Any: ...
    def __float__(self) -> builtins.float: ...
    def __floordiv__(self, other: Any) -> Tensor: ...
    def __format__(self, spec: builtins.str) -> builtins.str: ...
    def __ge__(self, other: Any) -> Tensor: ...
    def __getitem__(self, index: Any) -> Tensor: ...
    def __gt__(self, other: Any) -> Tensor: ...
    def __iadd__(self, other: Any) -> Self: ...
    def __iand__(self, other: Any) -> Self: ...
    def __ifloordiv__(self, other: Any) -> Self: ...
    def __ilshift__(self, other: Any) -> Self: ...
    def __imod__(self, other: Any) -> Self: ...
    def __imul__(self, other: Any) -> Self: ...
    def __index__(self) -> builtins.int: ...
    def __int__(self) -> builtins.int: ...
    def __invert__(self) -> Tensor: ...
    def __ior__(self, other: Any) -> Self: ...
    def __ipow__(self, other: Any) -> Self: ...
    def __irshift__(self, other: Any) -> Self: ...
    def __isub__(self, other: Any) -> Self: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __itruediv__(self, other: Any) -> Self: ...
    def __ixor__(self, other: Any) -> Self: ...
    def __le__(self, other: Any) -> Tensor: ...
    def __len__(self) -> builtins.int: ...
    def __lshift__(self, other: Any) -> Tensor: ...
    def __lt__(self, other: Any) -> Tensor: ...
    def __matmul__(self, other: Any) -> Tensor: ...
    def __mod__(self, other: Any) -> Tensor: ...
    def __mul__(self, other: Any) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def __or__(self, other: Any) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __pow__(self, other: Any) -> Tensor: ...
    def __radd__(self, other: Any) -> Tensor: ...
    def __rand__(self, other: Any) -> Tensor: ...
    def __reduce_ex__(self, protocol: Any) -> Any: ...
    def __repr__(self) -> builtins.str: ...
    def __rfloordiv__(self, other: Any) -> Tensor: ...
    def __rlshift__(self, other: Any) -> Tensor: ...
    def __rmod__(self, other: Any) -> Tensor: ...
    def __rmul__(self, other: Any) -> Tensor: ...
    def __ror__(self, other: Any) -> Tensor: ...
    def __rpow__(self, other: Any) -> Tensor: ...
    def __rrshift__(self, other: Any) -> Tensor: ...
    def __rshift__(self, other: Any) -> Tensor: ...
    def __rsub__(self, other: Any) -> Tensor: ...
    def __rtruediv__(self, other: Any) -> Tensor: ...
    def __rxor__(self, other: Any) -> Tensor: ...
    def __setitem__(self, index: Any, value: Any) -> None: ...
    def __str__(self) -> builtins.str: ...
    def __sub__(self, other: Any) -> Tensor: ...
    def __truediv__(self, other: Any) -> Tensor: ...
    def __trunc__(self) -> builtins.int: ...
    def __xor__(self, other: Any) -> Tensor: ...
    def abs(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """|x|; its slope at 0 is 0."""
    def abs_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`abs`, written to this tensor; returns it."""
    def absolute(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """|x|; its slope at 0 is 0."""
    def absolute_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`absolute`, written to this tensor; returns it."""
    def acos(self) -> Tensor:
        """The arc cosine; NaN outside [-1, 1]."""
    def acos_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`acos`, written to this tensor; returns it."""
    def acosh(self) -> Tensor:
        """The inverse of `cosh` on [1, inf]; NaN below."""
    def acosh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`acosh`, written to this tensor; returns it."""
    def add(self, other: Any, *, alpha: Any = ..., out: Any = ...) -> Tensor:
        """input + alpha * other."""
    def add_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`add`, written to this tensor; returns it."""
    def addbmm(self, first: Tensor, second: Tensor, *, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
        """beta * input + alpha * the sum of the products of two batches."""
    def addbmm_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`addbmm`, written to this tensor; returns it."""
    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: Any = ..., out: Any = ...) -> Tensor:
        """input + value * tensor1 / tensor2."""
    def addcdiv_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`addcdiv`, written to this tensor; returns it."""
    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: Any = ..., out: Any = ...) -> Tensor:
        """input + value * tensor1 * tensor2."""
    def addcmul_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`addcmul`, written to this tensor; returns it."""
    def addmm(self, first: Tensor, second: Tensor, *, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
        """beta * input + alpha * the product of two matrices."""
    def addmm_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`addmm`, written to this tensor; returns it."""
    def addmv(self, first: Tensor, second: Tensor, *, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
        """beta * input + alpha * the product of a matrix and a vector."""
    def addmv_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`addmv`, written to this tensor; returns it."""
    def addr(self, first: Tensor, second: Tensor, *, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
        """beta * input + alpha * the outer product of two vectors."""
    def addr_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`addr`, written to this tensor; returns it."""
    def adjoint(self) -> Tensor:
        """The last two dimensions exchanged (a batch of matrices, each transposed)."""
    def all(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ...) -> Tensor:
        """Whether none is 0: bool (uint8 for uint8)."""
    def allclose(self, other: Tensor, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> builtins.bool:
        """Whether every element `isclose`."""
    def amax(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ...) -> Tensor:
        """The maximum over `dim` (an int or several; none: all)."""
    def amin(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ...) -> Tensor:
        """The minimum over `dim` (an int or several; none: all)."""
    def aminmax(self, *, dim: Optional[builtins.int] = ..., keepdim: builtins.bool = ...) -> MinMax:
        """Minimum and maximum as a named tuple."""
    def any(self, dim: Any = ..., keepdim: builtins.bool = ..., *, out: Any = ...) -> Tensor:
        """Whether some are other than 0: bool (uint8 for uint8)."""
    def arccos(self) -> Tensor:
        """The arc cosine; NaN outside [-1, 1]."""
    def arccos_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`arccos`, written to this tensor; returns it."""
    def arccosh(self) -> Tensor:
        """The inverse of `cosh` on [1, inf]; NaN below."""
    def arccosh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`arccosh`, written to this tensor; returns it."""
    def arcsin(self) -> Tensor:
        """The arc sine; NaN outside [-1, 1]."""
    def arcsin_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`arcsin`, written to this tensor; returns it."""
    def arcsinh(self) -> Tensor:
        """The inverse of `sinh`."""
    def arcsinh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`arcsinh`, written to this tensor; returns it."""
    def arctan(self) -> Tensor:
        """The arc tangent."""
    def arctan2(self, other: Any, *, out: Any = ...) -> Tensor:
        """The angle of the point (x=other, y=input), in radians."""
    def arctan_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`arctan`, written to this tensor; returns it."""
    def arctanh(self) -> Tensor:
        """The inverse of `tanh`; infinite at -1 and 1, NaN beyond."""
    def arctanh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`arctanh`, written to this tensor; returns it."""
    def argmax(self, dim: Optional[builtins.int] = ..., keepdim: builtins.bool = ...) -> Tensor:
        """Where the first maximum stands, along `dim` or in the flattened tensor."""
    def argmin(self, dim: Optional[builtins.int] = ..., keepdim: builtins.bool = ...) -> Tensor:
        """Where the first minimum stands, along `dim` or in the flattened tensor."""
    def argsort(self, dim: builtins.int = ..., descending: builtins.bool = ..., stable: builtins.bool = ...) -> Tensor:
        """The indices that sort `input` along `dim`."""
    def argwhere(self) -> Tensor:
        """`nonzero` as a matrix."""
    def asin(self) -> Tensor:
        """The arc sine; NaN outside [-1, 1]."""
    def asin_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`asin`, written to this tensor; returns it."""
    def asinh(self) -> Tensor:
        """The inverse of `sinh`."""
    def asinh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`asinh`, written to this tensor; returns it."""
    def atan(self) -> Tensor:
        """The arc tangent."""
    def atan2(self, other: Any, *, out: Any = ...) -> Tensor:
        """The angle of the point (x=other, y=input), in radians."""
    def atan2_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`atan2`, written to this tensor; returns it."""
    def atan_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`atan`, written to this tensor; returns it."""
    def atanh(self) -> Tensor:
        """The inverse of `tanh`; infinite at -1 and 1, NaN beyond."""
    def atanh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`atanh`, written to this tensor; returns it."""
    def backward(self, gradient: Optional[Tensor] = ..., retain_graph: Optional[builtins.bool] = ..., create_graph: builtins.bool = ..., inputs: Any = ...) -> None:
        """Add the gradient of this tensor to the `grad` of every leaf behind it."""
    def baddbmm(self, first: Tensor, second: Tensor, *, beta: Any = ..., alpha: Any = ..., out: Any = ...) -> Tensor:
        """beta * input + alpha * the products of two batches of matrices."""
    def baddbmm_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`baddbmm`, written to this tensor; returns it."""
    def bernoulli_(self, p: Any = ..., *, generator: Any = ...) -> Tensor:
        """1 with probability `p` (a number or tensor), else 0; returns itself."""
    def bfloat16(self, memory_format: Any = ...) -> Tensor:
        """As bfloat16 (itself if it is that already)."""
    def bincount(self, weights: Optional[Tensor] = ..., minlength: builtins.int = ...) -> Tensor:
        """How often each of 0, 1, ... occurs, or the sum of `weights` there."""
    def bitwise_and(self, other: Any, *, out: Any = ...) -> Tensor:
        """The bits that both have."""
    def bitwise_and_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`bitwise_and`, written to this tensor; returns it."""
    def bitwise_left_shift(self, other: Any, *, out: Any = ...) -> Tensor:
        """input * 2^other."""
    def bitwise_left_shift_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`bitwise_left_shift`, written to this tensor; returns it."""
    def bitwise_not(self, *, out: Any = ...) -> Tensor:
        """Every bit turned round; for bools, not. DTypeError for floats."""
    def bitwise_not_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`bitwise_not`, written to this tensor; returns it."""
    def bitwise_or(self, other: Any, *, out: Any = ...) -> Tensor:
        """The bits that either has."""
    def bitwise_or_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`bitwise_or`, written to this tensor; returns it."""
    def bitwise_right_shift(self, other: Any, *, out: Any = ...) -> Tensor:
        """input / 2^other, rounded down."""
    def bitwise_right_shift_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`bitwise_right_shift`, written to this tensor; returns it."""
    def bitwise_xor(self, other: Any, *, out: Any = ...) -> Tensor:
        """The bits that just one has."""
    def bitwise_xor_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`bitwise_xor`, written to this tensor; returns it."""
    def bmm(self, mat2: Tensor, *, out: Any = ...) -> Tensor:
        """The products of two batches of matrices, [b, m, k] and [b, k, n]."""
    def bool(self, memory_format: Any = ...) -> Tensor:
        """As bool (itself if it is that already)."""
    def broadcast_to(self, size: Any) -> Tensor:
        """Stretched to `size`."""
    def byte(self, memory_format: Any = ...) -> Tensor:
        """As uint8 (itself if it is that already)."""
    def cauchy_(self, median: builtins.float = ..., sigma: builtins.float = ..., *, generator: Any = ...) -> Tensor:
        """Cauchy random numbers; returns itself."""
    def ceil(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The smallest whole number that is not below x."""
    def ceil_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`ceil`, written to this tensor; returns it."""
    def char(self, memory_format: Any = ...) -> Tensor:
        """As int8 (itself if it is that already)."""
    def chunk(self, chunks: builtins.int, dim: builtins.int = ...) -> builtins.tuple:
        """At most `chunks` pieces of equal size along `dim` (the last may be smaller)."""
    def clamp(self, min: Any = ..., max: Any = ..., *, out: Any = ...) -> Tensor:
        """`input` held between `min` and `max` (numbers, tensors, or None: no bound)."""
    def clamp_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`clamp`, written to this tensor; returns it."""
    def clamp_max(self, max: Any, *, out: Any = ...) -> Tensor:
        """`input`, but at most `max`."""
    def clamp_max_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`clamp_max`, written to this tensor; returns it."""
    def clamp_min(self, min: Any, *, out: Any = ...) -> Tensor:
        """`input`, but at least `min`."""
    def clamp_min_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`clamp_min`, written to this tensor; returns it."""
    def clip(self, min: Any = ..., max: Any = ..., *, out: Any = ...) -> Tensor:
        """`input` held between `min` and `max` (numbers, tensors, or None: no bound)."""
    def clip_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`clip`, written to this tensor; returns it."""
    def clone(self, *, memory_format: Any = ...) -> Tensor:
        """The same numbers in memory of their own; gradients flow through."""
    def contiguous(self, memory_format: Any = ...) -> Tensor:
        """Itself if it is contiguous, else a copy that is."""
    def copy_(self, src: Tensor, non_blocking: builtins.bool = ...) -> Tensor:
        """Overwritten with `src` (broadcast, cast); returns itself."""
    def cos(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The cosine."""
    def cos_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`cos`, written to this tensor; returns it."""
    def cosh(self) -> Tensor:
        """The hyperbolic cosine."""
    def cosh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`cosh`, written to this tensor; returns it."""
    def count_nonzero(self, dim: Any = ...) -> Tensor:
        """How many are other than 0, int64."""
    def cpu(self, memory_format: Any = ...) -> Tensor:
        """In host memory; itself where it is there."""
    def cuda(self, device: Any = ..., non_blocking: builtins.bool = ...) -> Tensor:
        """On a GPU (None: the current one); DeviceError where there is none."""
    def cummax(self, dim: builtins.int) -> Found:
        """The largest so far along `dim`, and where it last stood."""
    def cummin(self, dim: builtins.int) -> Found:
        """The smallest so far along `dim`, and where it last stood."""
    def cumprod(self, dim: builtins.int, *, dtype: Optional[DType] = ..., out: Any = ...) -> Tensor:
        """The product of all elements so far along `dim`; integers in int64."""
    def cumprod_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`cumprod`, written to this tensor; returns it."""
    def cumsum(self, dim: builtins.int, *, dtype: Optional[DType] = ..., out: Any = ...) -> Tensor:
        """The sum of all elements so far along `dim`; integers in int64."""
    def cumsum_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`cumsum`, written to this tensor; returns it."""
    @property
    def data(self) -> Tensor: ...
    @data.setter
    def data(self, value: Any) -> None: ...
    def data_ptr(self) -> builtins.int:
        """The address of its first element."""
    def deg2rad(self) -> Tensor:
        """Degrees to radians."""
    def deg2rad_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`deg2rad`, written to this tensor; returns it."""
    def detach(self) -> Tensor:
        """The same memory, out of reach of gradients."""
    def detach_(self) -> Tensor:
        """Take this tensor itself out of reach of gradients."""
    @property
    def device(self) -> Any: ...
    def diag(self, diagonal: builtins.int = ..., *, out: Any = ...) -> Tensor:
        """A vector as the diagonal of a matrix, or the diagonal of a matrix (a copy)."""
    def diag_embed(self, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        """Matrices that are zero but for one diagonal, the last dimension of `input`."""
    def diagflat(self, offset: builtins.int = ...) -> Tensor:
        """The flattened input as the diagonal of a matrix."""
    def diagonal(self, offset: builtins.int = ..., dim1: builtins.int = ..., dim2: builtins.int = ...) -> Tensor:
        """A diagonal of the matrices in dimensions `dim1` and `dim2`: the last dimension."""
    def dim(self) -> Any: ...
    def div(self, other: Any, *, rounding_mode: Optional[builtins.str] = ..., out: Any = ...) -> Tensor:
        """input / other, rounded towards 0 ("trunc") or down ("floor") if so asked."""
    def div_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`div`, written to this tensor; returns it."""
    def divide(self, other: Any, *, rounding_mode: Optional[builtins.str] = ..., out: Any = ...) -> Tensor:
        """input / other, rounded towards 0 ("trunc") or down ("floor") if so asked."""
    def divide_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`divide`, written to this tensor; returns it."""
    def dot(self, tensor: Tensor, *, out: Any = ...) -> Tensor:
        """The inner product of two vectors."""
    def double(self, memory_format: Any = ...) -> Tensor:
        """As float64 (itself if it is that already)."""
    def dsplit(self, indices_or_sections: Any) -> builtins.tuple:
        """`tensor_split` along dimension 2."""
    def element_size(self) -> builtins.int:
        """Bytes per element."""
    def eq(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input = other."""
    def eq_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`eq`, written to this tensor; returns it."""
    def equal(self, other: Tensor) -> builtins.bool:
        """Whether two tensors have the same shape and the same numbers."""
    def erf(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The error function."""
    def erf_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`erf`, written to this tensor; returns it."""
    def erfc(self) -> Tensor:
        """1 - erf(x): exact to rounding of 1, so 0 for large x."""
    def erfc_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`erfc`, written to this tensor; returns it."""
    def erfinv(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The inverse of `erf`."""
    def erfinv_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`erfinv`, written to this tensor; returns it."""
    def exp(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """e to the power of x."""
    def exp2(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """2 to the power of x."""
    def exp2_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`exp2`, written to this tensor; returns it."""
    def exp_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`exp`, written to this tensor; returns it."""
    def expand(self, *shape: Any, size: Any = ...) -> Tensor:
        """Dimensions of size 1 stretched to `size` (-1 keeps one) without a copy."""
    def expand_as(self, other: Tensor) -> Tensor:
        """Stretched to the shape of `other`."""
    def expm1(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """exp(x) - 1, exact near 0."""
    def expm1_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`expm1`, written to this tensor; returns it."""
    def exponential_(self, lambd: builtins.float = ..., *, generator: Any = ...) -> Tensor:
        """Exponential random numbers of rate `lambd`, above zero; returns itself."""
    def fill_(self, value: Any) -> Tensor:
        """`value` everywhere; returns itself."""
    def fill_diagonal_(self, fill_value: Any, wrap: builtins.bool = ...) -> Tensor:
        """`fill_value` where all indices agree; returns itself."""
    def fix(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """x without its fraction: rounded towards 0."""
    def fix_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`fix`, written to this tensor; returns it."""
    def flatten(self, start_dim: builtins.int = ..., end_dim: builtins.int = ...) -> Tensor:
        """Dimensions `start_dim` to `end_dim` merged into one."""
    def flip(self, *which: Any, dims: Any = ...) -> Tensor:
        """A copy with the given dimensions backwards."""
    def fliplr(self) -> Tensor:
        """A copy with dimension 1 backwards."""
    def flipud(self) -> Tensor:
        """A copy with dimension 0 backwards."""
    def float(self, memory_format: Any = ...) -> Tensor:
        """As float32 (itself if it is that already)."""
    def floor(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The largest whole number that is not above x."""
    def floor_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`floor`, written to this tensor; returns it."""
    def floor_divide(self, other: Any, *, out: Any = ...) -> Tensor:
        """The quotient rounded down. RuntimeError for integers divided by 0."""
    def floor_divide_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`floor_divide`, written to this tensor; returns it."""
    def fmax(self, other: Any, *, out: Any = ...) -> Tensor:
        """The larger one; of a number and NaN the number."""
    def fmin(self, other: Any, *, out: Any = ...) -> Tensor:
        """The smaller one; of a number and NaN the number."""
    def fmod(self, other: Any, *, out: Any = ...) -> Tensor:
        """What division rounded towards 0 leaves: it has the sign of `input`."""
    def fmod_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`fmod`, written to this tensor; returns it."""
    def frac(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The fraction of x, with the sign of x."""
    def frac_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`frac`, written to this tensor; returns it."""
    def gather(self, dim: builtins.int, index: Tensor, *, sparse_grad: builtins.bool = ..., out: Any = ...) -> Tensor:
        """Along `dim` the elements whose numbers `index` holds, in the shape of `index`."""
    def ge(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input >= other."""
    def ge_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`ge`, written to this tensor; returns it."""
    def geometric_(self, p: builtins.float, *, generator: Any = ...) -> Tensor:
        """How many trials of probability `p` until the first success; returns itself."""
    def ger(self, vec2: Tensor, *, out: Any = ...) -> Tensor:
        """Every product of an element of one vector and one of the other."""
    def get_device(self) -> builtins.int:
        """The number of its GPU: -1 on the CPU."""
    @property
    def grad(self) -> Tensor | Any: ...
    @grad.setter
    def grad(self, value: Any) -> None: ...
    @property
    def grad_fn(self) -> Any: ...
    def greater(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input > other."""
    def greater_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`greater`, written to this tensor; returns it."""
    def greater_equal(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input >= other."""
    def greater_equal_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`greater_equal`, written to this tensor; returns it."""
    def gt(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input > other."""
    def gt_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`gt`, written to this tensor; returns it."""
    def half(self, memory_format: Any = ...) -> Tensor:
        """As float16 (itself if it is that already)."""
    def histc(self, bins: builtins.int = ..., min: builtins.float = ..., max: builtins.float = ...) -> Tensor:
        """How many elements fall into each of `bins` equal parts of [min, max]."""
    def hsplit(self, indices_or_sections: Any) -> builtins.tuple:
        """`tensor_split` along dimension 1 (0 where there is only one)."""
    def hypot(self, other: Tensor) -> Tensor:
        """sqrt(input^2 + other^2) without overflow."""
    def hypot_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`hypot`, written to this tensor; returns it."""
    def index_add(self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Any = ...) -> Tensor:
        """A copy of `input` with slices of alpha * `source` added where `index` says."""
    def index_add_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`index_add`, written to this tensor; returns it."""
    def index_copy(self, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
        """A copy of `input` in which slices numbered by `index` are those of `source`."""
    def index_copy_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`index_copy`, written to this tensor; returns it."""
    def index_fill(self, dim: builtins.int, index: Tensor, value: Any) -> Tensor:
        """A copy of `input` in which the slices numbered by `index` hold `value`."""
    def index_fill_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`index_fill`, written to this tensor; returns it."""
    def index_put(self, indices: Any, values: Tensor, accumulate: builtins.bool = ...) -> Tensor:
        """A copy of `input` after `index_put_`."""
    def index_put_(self, indices: Any, values: Tensor, accumulate: builtins.bool = ...) -> Tensor:
        """`self[indices] = values`, or `+=` with every repeat counted (`accumulate`)."""
    def index_select(self, dim: builtins.int, index: Tensor, *, out: Any = ...) -> Tensor:
        """The slices of `input` along `dim` whose numbers the 1-d `index` holds."""
    def inner(self, other: Tensor, *, out: Any = ...) -> Tensor:
        """Products of all lines along the last dimensions; of a number, the product."""
    def int(self, memory_format: Any = ...) -> Tensor:
        """As int32 (itself if it is that already)."""
    def is_complex(self) -> builtins.bool:
        """Always False: there are no complex tensors here."""
    def is_contiguous(self, memory_format: Any = ...) -> builtins.bool:
        """Whether its elements lie in row-major order without gaps."""
    @property
    def is_cpu(self) -> builtins.bool: ...
    @property
    def is_cuda(self) -> builtins.bool: ...
    def is_floating_point(self) -> builtins.bool:
        """Whether a tensor holds floating-point numbers."""
    @property
    def is_leaf(self) -> builtins.bool: ...
    def is_pinned(self, device: Any = ...) -> builtins.bool:
        """Whether it lies in pinned memory."""
    @property
    def is_sparse(self) -> builtins.bool: ...
    def isclose(self, other: Tensor, rtol: builtins.float = ..., atol: builtins.float = ..., equal_nan: builtins.bool = ...) -> Tensor:
        """Whether |input - other| <= atol + rtol * |other| (equal infinities are close)."""
    def isfinite(self) -> Tensor:
        """Whether it is neither NaN nor infinite."""
    def isinf(self) -> Tensor:
        """Whether it is infinite."""
    def isnan(self) -> Tensor:
        """Whether it is not a number."""
    def isneginf(self, *, out: Any = ...) -> Tensor:
        """Whether it is -inf."""
    def isposinf(self, *, out: Any = ...) -> Tensor:
        """Whether it is +inf."""
    def isreal(self) -> Tensor:
        """True everywhere: there are no complex tensors here."""
    def item(self) -> Any:
        """Its only element as a Python number; RuntimeError when there are others."""
    @property
    def itemsize(self) -> builtins.int: ...
    def kron(self, other: Tensor, *, out: Any = ...) -> Tensor:
        """The Kronecker product: `other` scaled by each element of `input`."""
    def kthvalue(self, k: builtins.int, dim: builtins.int = ..., keepdim: builtins.bool = ...) -> Found:
        """The `k`-th smallest (from 1) along `dim`: (values, indices)."""
    def le(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input <= other."""
    def le_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`le`, written to this tensor; returns it."""
    def lerp(self, end: Tensor, weight: Any, *, out: Any = ...) -> Tensor:
        """input + weight * (end - input), computed from the nearer end."""
    def lerp_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`lerp`, written to this tensor; returns it."""
    def less(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input < other."""
    def less_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`less`, written to this tensor; returns it."""
    def less_equal(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input <= other."""
    def less_equal_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`less_equal`, written to this tensor; returns it."""
    def log(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The natural logarithm."""
    def log10(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The logarithm to base 10, exact at powers of 10."""
    def log10_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`log10`, written to this tensor; returns it."""
    def log1p(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """log(1 + x), exact near 0."""
    def log1p_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`log1p`, written to this tensor; returns it."""
    def log2(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The logarithm to base 2, exact at powers of 2."""
    def log2_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`log2`, written to this tensor; returns it."""
    def log_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`log`, written to this tensor; returns it."""
    def log_normal_(self, mean: builtins.float = ..., std: builtins.float = ..., *, generator: Any = ...) -> Tensor:
        """exp of normal random numbers; returns itself."""
    def log_softmax(self, dim: builtins.int, dtype: Optional[DType] = ...) -> Tensor:
        """log(softmax(input)), exact where the softmax itself would be 0."""
    def logaddexp(self, other: Tensor) -> Tensor:
        """log(exp(input) + exp(other)) without overflow."""
    def logaddexp2(self, other: Tensor) -> Tensor:
        """log2(2^input + 2^other) without overflow."""
    def logcumsumexp(self, dim: builtins.int) -> Tensor:
        """log(cumsum(exp(input))) along `dim`, in sums of doubling reach: no overflow."""
    def logical_and(self, other: Tensor, *, out: Any = ...) -> Tensor:
        """Whether both are other than 0."""
    def logical_and_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`logical_and`, written to this tensor; returns it."""
    def logical_not(self, *, out: Any = ...) -> Tensor:
        """Whether it is 0."""
    def logical_not_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`logical_not`, written to this tensor; returns it."""
    def logical_or(self, other: Tensor, *, out: Any = ...) -> Tensor:
        """Whether either is other than 0."""
    def logical_or_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`logical_or`, written to this tensor; returns it."""
    def logical_xor(self, other: Tensor, *, out: Any = ...) -> Tensor:
        """Whether just one is other than 0."""
    def logical_xor_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`logical_xor`, written to this tensor; returns it."""
    def logit(self, eps: Optional[builtins.float] = ...) -> Tensor:
        """log(x / (1 - x)), of x clamped to [eps, 1 - eps] where `eps` is given."""
    def logit_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`logit`, written to this tensor; returns it."""
    def logsumexp(self, dim: Any, keepdim: builtins.bool = ...) -> Tensor:
        """log(sum(exp(input))) without overflow."""
    def long(self, memory_format: Any = ...) -> Tensor:
        """As int64 (itself if it is that already)."""
    def lt(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether input < other."""
    def lt_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`lt`, written to this tensor; returns it."""
    @property
    def mH(self) -> Tensor: ...
    @property
    def mT(self) -> Tensor: ...
    def masked_fill(self, mask: Tensor, value: Any) -> Tensor:
        """`value` (a number or 0-d tensor) where the bool `mask` holds, else `input`."""
    def masked_fill_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`masked_fill`, written to this tensor; returns it."""
    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """The elements of `source` one after the other where `mask` holds, else `input`."""
    def masked_scatter_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`masked_scatter`, written to this tensor; returns it."""
    def masked_select(self, mask: Tensor) -> Tensor:
        """The elements where the bool `mask` holds, 1-d."""
    def matmul(self, other: Tensor, *, out: Any = ...) -> Tensor:
        """The product of vectors (1-d), matrices (2-d) or batches of matrices."""
    def max(self, dim: Union[builtins.int, Tensor, None] = ..., keepdim: builtins.bool = ..., *, other: Optional[Tensor] = ...) -> Any:
        """The maximum of all; or (values, indices) along `dim`; or of two tensors."""
    def maximum(self, other: Any, *, out: Any = ...) -> Tensor:
        """The larger one; NaN where either is; ties share."""
    def mean(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Optional[DType] = ..., out: Any = ...) -> Tensor:
        """The arithmetic mean. RuntimeError for integers, unless `dtype` is a float."""
    def median(self, dim: Optional[builtins.int] = ..., keepdim: builtins.bool = ...) -> Union[Tensor, Found]:
        """The lower median of all, or (values, indices) along `dim`; NaN if there is one."""
    def min(self, dim: Union[builtins.int, Tensor, None] = ..., keepdim: builtins.bool = ..., *, other: Optional[Tensor] = ...) -> Any:
        """The minimum of all; or (values, indices) along `dim`; or of two tensors."""
    def minimum(self, other: Any, *, out: Any = ...) -> Tensor:
        """The smaller one; NaN where either is; ties share."""
    def mm(self, mat2: Tensor, *, out: Any = ...) -> Tensor:
        """The product of two matrices."""
    def moveaxis(self, source: Any, destination: Any) -> Tensor:
        """Dimensions `source` moved to the places `destination`, the rest in order."""
    def movedim(self, source: Any, destination: Any) -> Tensor:
        """Dimensions `source` moved to the places `destination`, the rest in order."""
    def msort(self) -> Tensor:
        """Sorted along the first dimension."""
    def mul(self, other: Any, *, out: Any = ...) -> Tensor:
        """input * other."""
    def mul_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`mul`, written to this tensor; returns it."""
    def multiply(self, other: Any, *, out: Any = ...) -> Tensor:
        """input * other."""
    def multiply_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`multiply`, written to this tensor; returns it."""
    def mv(self, vec: Tensor, *, out: Any = ...) -> Tensor:
        """The product of a matrix and a vector."""
    def nan_to_num(self, nan: Optional[builtins.float] = ..., posinf: Optional[builtins.float] = ..., neginf: Optional[builtins.float] = ..., *, out: Any = ...) -> Tensor:
        """Finite numbers in place of NaN and the infinities (default: 0 and the limits)."""
    def nan_to_num_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`nan_to_num`, written to this tensor; returns it."""
    def nanmean(self, dim: Any = ..., keepdim: builtins.bool = ...) -> Tensor:
        """The mean of what is not NaN."""
    def nanmedian(self, dim: Optional[builtins.int] = ..., keepdim: builtins.bool = ...) -> Union[Tensor, Found]:
        """The lower median of what is not NaN."""
    def nansum(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Optional[DType] = ...) -> Tensor:
        """The sum of what is not NaN."""
    def narrow(self, dim: builtins.int, start: Any, length: Any) -> Tensor:
        """`length` elements along `dim` from `start` on."""
    @property
    def nbytes(self) -> builtins.int: ...
    def ndimension(self) -> Any: ...
    def ne(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether they differ (NaN differs from itself)."""
    def ne_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`ne`, written to this tensor; returns it."""
    def neg(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """-x. RuntimeError for a bool tensor."""
    def neg_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`neg`, written to this tensor; returns it."""
    def negative(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """-x. RuntimeError for a bool tensor."""
    def negative_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`negative`, written to this tensor; returns it."""
    def nelement(self) -> Any:
        """The number of elements."""
    def new_empty(self, *shape: Any, size: Any = ..., dtype: Any = ..., **options: Any) -> Tensor:
        """As `empty`, in the type of this tensor."""
    def new_full(self, size: Any, fill_value: Any, dtype: Any = ..., **options: Any) -> Tensor:
        """As `full`, in the type of this tensor."""
    def new_ones(self, *shape: Any, size: Any = ..., dtype: Any = ..., **options: Any) -> Tensor:
        """As `ones`, in the type of this tensor."""
    def new_tensor(self, data: Any, *, dtype: Any = ..., **options: Any) -> Tensor:
        """As `tensor`, in the type of this one."""
    def new_zeros(self, *shape: Any, size: Any = ..., dtype: Any = ..., **options: Any) -> Tensor:
        """As `zeros`, in the type of this tensor."""
    def nonzero(self, *, as_tuple: builtins.bool = ...) -> Any:
        """The indices of what is other than 0: [count, dimensions], or one tensor for each."""
    def norm(self, p: Any = ..., dim: Any = ..., keepdim: builtins.bool = ..., out: Any = ..., dtype: Optional[DType] = ...) -> Tensor:
        """The vector norm of order `p` over `dim`, or over all elements."""
    def normal_(self, mean: Any = ..., std: Any = ..., *, generator: Any = ...) -> Tensor:
        """Normal random numbers; returns itself."""
    def not_equal(self, other: Any, *, out: Any = ...) -> Tensor:
        """Whether they differ (NaN differs from itself)."""
    def not_equal_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`not_equal`, written to this tensor; returns it."""
    def numel(self) -> Any:
        """The number of elements."""
    def numpy(self, *, force: builtins.bool = ...) -> np.ndarray:
        """Its memory as an array: both see what either writes."""
    def outer(self, vec2: Tensor, *, out: Any = ...) -> Tensor:
        """Every product of an element of one vector and one of the other."""
    def permute(self, *order: Any, dims: Any = ...) -> Tensor:
        """Dimension i of the result is dimension `dims[i]` of `input`."""
    def pin_memory(self, device: Any = ...) -> Tensor:
        """A copy in memory that a GPU copies from by itself; itself where it is there, or where there is no GPU to pin memory for."""
    def positive(self) -> Tensor:
        """`input` itself. RuntimeError for a bool tensor."""
    def pow(self, exponent: Any, *, out: Any = ...) -> Tensor:
        """input to the power of exponent."""
    def pow_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`pow`, written to this tensor; returns it."""
    def prod(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Optional[DType] = ..., out: Any = ...) -> Tensor:
        """The product; integers and bools in int64."""
    def quantile(self, q: Union[builtins.float, Tensor], dim: Optional[builtins.int] = ..., keepdim: builtins.bool = ..., *, interpolation: builtins.str = ..., out: Any = ...) -> Tensor:
        """The quantiles `q` (a number, or 1-d: first dimension of the result) along `dim`."""
    def rad2deg(self) -> Tensor:
        """Radians to degrees."""
    def rad2deg_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`rad2deg`, written to this tensor; returns it."""
    def random_(self, from_: Any = ..., to: Any = ..., *, generator: Any = ...) -> Tensor:
        """Random integers in [from, to), in [0, from) or all that fit; returns itself."""
    def ravel(self) -> Tensor:
        """All elements in one dimension."""
    def reciprocal(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """1 / x."""
    def reciprocal_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`reciprocal`, written to this tensor; returns it."""
    def record_stream(self, s: Stream) -> None:
        """Tell that work on stream `s` reads it: its memory is not given again before."""
    def register_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(grad)` whenever the gradient of this tensor was computed."""
    def register_post_accumulate_grad_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(tensor)` after `backward` has added to the `grad` of this leaf."""
    def relu(self) -> Tensor:
        """x above 0, else 0 (with slope 0 there); NaN stays."""
    def relu_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`relu`, written to this tensor; returns it."""
    def remainder(self, other: Any, *, out: Any = ...) -> Tensor:
        """What floor division leaves: it has the sign of `other`."""
    def remainder_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`remainder`, written to this tensor; returns it."""
    def repeat(self, *counts: Any, repeats: Any = ...) -> Tensor:
        """The whole tensor `sizes[i]` times along each dimension (new ones come first)."""
    def repeat_interleave(self, repeats: Any = ..., dim: Optional[builtins.int] = ..., *, output_size: Any = ...) -> Tensor:
        """Each element along `dim` several times in a row (flattened without `dim`)."""
    def requires_grad_(self, requires_grad: builtins.bool = ...) -> Tensor:
        """Make it a variable of differentiation (or stop that); returns itself."""
    def reshape(self, *sizes_: Any, shape: Any = ...) -> Tensor:
        """The same elements under another shape: a view where memory allows, else a copy."""
    def reshape_as(self, other: Tensor) -> Tensor:
        """Reshaped to the shape of `other`."""
    def resize_(self, *size: Any, memory_format: Any = ...) -> Tensor:
        """Another shape, in row-major order from its first element on; returns itself."""
    def resize_as_(self, the_template: Tensor, *, memory_format: Any = ...) -> Tensor:
        """The shape of another tensor (see `resize_`)."""
    def retain_grad(self) -> None:
        """Let `backward` fill the `grad` of this tensor too, although it is no leaf."""
    @property
    def retains_grad(self) -> builtins.bool: ...
    def roll(self, shifts: Any, dims: Any = ...) -> Tensor:
        """Elements moved on by `shifts` places along `dims`; what leaves comes back in."""
    def rot90(self, k: builtins.int = ..., dims: Sequence[builtins.int] = ...) -> Tensor:
        """A copy turned `k` times by 90 degrees, from `dims[0]` towards `dims[1]`."""
    def round(self, *, decimals: builtins.int = ..., out: Optional[Tensor] = ...) -> Tensor:
        """The nearest number with so many decimals; a half goes to the even neighbour."""
    def round_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`round`, written to this tensor; returns it."""
    def rsqrt(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """1 / sqrt(x)."""
    def rsqrt_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`rsqrt`, written to this tensor; returns it."""
    def scatter(self, dim: builtins.int, index: Tensor, src: Any = ..., *, value: Any = ..., reduce: Optional[builtins.str] = ...) -> Tensor:
        """A copy of `input` in which the elements numbered by `index` are those of `src`."""
    def scatter_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`scatter`, written to this tensor; returns it."""
    def scatter_add(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """A copy of `input` with `src` added to the elements numbered by `index`."""
    def scatter_add_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`scatter_add`, written to this tensor; returns it."""
    def scatter_reduce(self, dim: builtins.int, index: Tensor, src: Tensor, reduce: builtins.str, *, include_self: builtins.bool = ...) -> Tensor:
        """`src` reduced ("sum", "prod", "mean", "amax", "amin") into numbered elements."""
    def scatter_reduce_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`scatter_reduce`, written to this tensor; returns it."""
    def select(self, dim: builtins.int, index: Any) -> Tensor:
        """Element `index` along `dim`, which is dropped."""
    def set_(self, source: Optional[Tensor] = ...) -> Tensor:
        """Look at the memory of `source` from now on (None: at none), returns itself."""
    def sgn(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """-1, 0 or 1; the type of `input`; 0 for NaN. Its gradient is 0."""
    def sgn_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sgn`, written to this tensor; returns it."""
    def short(self, memory_format: Any = ...) -> Tensor:
        """As int16 (itself if it is that already)."""
    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x)), exact in both tails."""
    def sigmoid_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sigmoid`, written to this tensor; returns it."""
    def sign(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """-1, 0 or 1; the type of `input`; 0 for NaN. Its gradient is 0."""
    def sign_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sign`, written to this tensor; returns it."""
    def sin(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The sine."""
    def sin_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sin`, written to this tensor; returns it."""
    def sinc(self) -> Tensor:
        """sin(pi x) / (pi x), and 1 at 0."""
    def sinc_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sinc`, written to this tensor; returns it."""
    def sinh(self) -> Tensor:
        """The hyperbolic sine, exact near 0."""
    def sinh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sinh`, written to this tensor; returns it."""
    def size(self, dim: Optional[builtins.int] = ...) -> Any:
        """Its shape, or one size of it."""
    def softmax(self, dim: builtins.int, dtype: Optional[DType] = ...) -> Tensor:
        """exp(input) / sum(exp(input)) along `dim`, without overflow."""
    def sort(self, dim: builtins.int = ..., descending: builtins.bool = ..., stable: builtins.bool = ...) -> Found:
        """The elements in order along `dim`, and where they stood: (values, indices)."""
    def split(self, split_size_or_sections: Any, dim: builtins.int = ...) -> builtins.tuple:
        """Pieces of one size along `dim` (the last may be smaller), or of listed sizes."""
    def split_with_sizes(self, split_sizes: Any, dim: builtins.int = ...) -> builtins.tuple:
        """Pieces of the given sizes along `dim`; RuntimeError unless they add up."""
    def sqrt(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The square root; NaN below 0."""
    def sqrt_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sqrt`, written to this tensor; returns it."""
    def square(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """x * x."""
    def square_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`square`, written to this tensor; returns it."""
    def squeeze(self, dim: Any = ...) -> Tensor:
        """Without its dimensions of size 1 (those among `dim`, an int or a tuple)."""
    def squeeze_(self, *args: Any, **kwargs: Any) -> Tensor:
        """This tensor itself becomes its `squeeze` view; returns it."""
    def std(self, dim: Any = ..., unbiased: Optional[builtins.bool] = ..., keepdim: builtins.bool = ..., *, correction: Optional[builtins.float] = ...) -> Tensor:
        """The square root of the variance; where that is 0 its gradient is 0."""
    def storage_offset(self) -> builtins.int:
        """How many elements into its storage it begins."""
    def stride(self, dim: Optional[builtins.int] = ...) -> Any:
        """How many elements apart neighbours along each dimension (or one) lie."""
    def sub(self, other: Any, *, alpha: Any = ..., out: Any = ...) -> Tensor:
        """input - alpha * other. RuntimeError for bool tensors."""
    def sub_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`sub`, written to this tensor; returns it."""
    def subtract(self, other: Any, *, alpha: Any = ..., out: Any = ...) -> Tensor:
        """input - alpha * other. RuntimeError for bool tensors."""
    def subtract_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`subtract`, written to this tensor; returns it."""
    def sum(self, dim: Any = ..., keepdim: builtins.bool = ..., *, dtype: Optional[DType] = ..., out: Any = ...) -> Tensor:
        """The sum, computed in `dtype` where given."""
    def swapaxes(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """With two dimensions exchanged."""
    def swapaxes_(self, *args: Any, **kwargs: Any) -> Tensor:
        """This tensor itself becomes its `swapaxes` view; returns it."""
    def swapdims(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """With two dimensions exchanged."""
    def swapdims_(self, *args: Any, **kwargs: Any) -> Tensor:
        """This tensor itself becomes its `swapdims` view; returns it."""
    def t(self) -> Tensor:
        """A matrix transposed (at most two dimensions)."""
    def t_(self, *args: Any, **kwargs: Any) -> Tensor:
        """This tensor itself becomes its `t` view; returns it."""
    def take(self, index: Tensor) -> Tensor:
        """Elements by their numbers in the flattened input, in the shape of `index`."""
    def take_along_dim(self, indices: Tensor, dim: Optional[builtins.int] = ...) -> Tensor:
        """As `gather`, but the other dimensions broadcast; without `dim`, as `take`."""
    def tan(self) -> Tensor:
        """The tangent."""
    def tan_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`tan`, written to this tensor; returns it."""
    def tanh(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """The hyperbolic tangent."""
    def tanh_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`tanh`, written to this tensor; returns it."""
    def tensor_split(self, indices_or_sections: Any, dim: builtins.int = ...) -> builtins.tuple:
        """Pieces whose sizes differ by at most one, or cut at the listed indices."""
    def tile(self, *counts: Any, dims: Any = ...) -> Tensor:
        """As `Tensor.repeat`; missing leading counts are 1."""
    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """In another element type or place, or like another tensor: `to(dtype)`, `to("cuda")`, `to(device, dtype)`, `to(other)`. Itself where nothing changes, unless `copy=True`."""
    def tolist(self) -> Any:
        """Nested lists of Python numbers (a number for a 0-d tensor)."""
    def topk(self, k: builtins.int, dim: builtins.int = ..., largest: builtins.bool = ..., sorted: builtins.bool = ...) -> Found:
        """The `k` largest (or smallest) along `dim`, in order: (values, indices)."""
    def trace(self) -> Tensor:
        """The sum of the main diagonal of a matrix; integers in int64."""
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """With two dimensions exchanged."""
    def transpose_(self, *args: Any, **kwargs: Any) -> Tensor:
        """This tensor itself becomes its `transpose` view; returns it."""
    def tril(self, diagonal: builtins.int = ..., *, out: Any = ...) -> Tensor:
        """Zeros above a diagonal (0 is the main one, 1 the next above)."""
    def tril_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`tril`, written to this tensor; returns it."""
    def triu(self, diagonal: builtins.int = ..., *, out: Any = ...) -> Tensor:
        """Zeros below a diagonal."""
    def triu_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`triu`, written to this tensor; returns it."""
    def true_divide(self, other: Any, *, out: Any = ...) -> Tensor:
        """input / other in floating point."""
    def true_divide_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`true_divide`, written to this tensor; returns it."""
    def trunc(self, *, out: Optional[Tensor] = ...) -> Tensor:
        """x without its fraction: rounded towards 0."""
    def trunc_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`trunc`, written to this tensor; returns it."""
    def type(self, dtype: Any = ..., non_blocking: builtins.bool = ...) -> Any:
        """The name of its legacy type ("tracefuse.FloatTensor"), or converted to one."""
    def type_as(self, other: Tensor) -> Tensor:
        """In the element type of `other`."""
    def unbind(self, dim: builtins.int = ...) -> builtins.tuple:
        """All elements along `dim`, which is dropped, as a tuple of views."""
    def unflatten(self, dim: builtins.int, sizes: Any) -> Tensor:
        """Dimension `dim` split into several of the given `sizes` (one may be -1)."""
    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:
        """All windows of `size` elements along `dimension`, `step` apart: a view."""
    def uniform_(self, from_: Any = ..., to: Any = ..., *, generator: Any = ..., **start: Any) -> Tensor:
        """Uniform random numbers in [from, to); returns itself."""
    def unique(self, sorted: builtins.bool = ..., return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: Optional[builtins.int] = ...) -> Any:
        """The different values (or slices along `dim`) in order."""
    def unique_consecutive(self, return_inverse: builtins.bool = ..., return_counts: builtins.bool = ...) -> Any:
        """The flattened input with every run of equal values shrunk to one."""
    def unsqueeze(self, dim: builtins.int) -> Tensor:
        """With a new dimension of size 1 at `dim`."""
    def unsqueeze_(self, *args: Any, **kwargs: Any) -> Tensor:
        """This tensor itself becomes its `unsqueeze` view; returns it."""
    def var(self, dim: Any = ..., unbiased: Optional[builtins.bool] = ..., keepdim: builtins.bool = ..., *, correction: Optional[builtins.float] = ...) -> Tensor:
        """The variance: squared distances from the mean over n - correction (1)."""
    def vdot(self, tensor: Tensor, *, out: Any = ...) -> Tensor:
        """The inner product of two vectors."""
    def view(self, *shape: Any, size: Any = ...) -> Tensor:
        """As `reshape`, but always a view; RuntimeError where that is impossible."""
    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of `other`."""
    def vsplit(self, indices_or_sections: Any) -> builtins.tuple:
        """`tensor_split` along dimension 0."""
    def where(self, condition: Tensor, other: Any) -> Tensor: ...
    def xlogy(self, other: Tensor) -> Tensor:
        """input * log(other), and 0 where `input` is 0 (unless `other` is NaN)."""
    def xlogy_(self, *args: Any, **kwargs: Any) -> Tensor:
        """`xlogy`, written to this tensor; returns it."""
    def zero_(self) -> Tensor:
        """Zero everywhere; returns itself."""
    def __getattr__(self, name: builtins.str) -> Any: ...
    def __setattr__(self, name: builtins.str, value: Any) -> None: ...
