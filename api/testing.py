"""`tracefuse.testing`: comparing tensors in tests, with PyTorch's words."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np

from .tensor import Tensor

__all__ = ["assert_close"]

# Relative and absolute, by type; what is not here has to be equal.
TOLERANCE = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
}

Message = Union[None, str, Callable[[str], str]]


class _Rules(NamedTuple):
    """How to compare; `prefix` says where in nested containers."""

    rtol: Optional[float]
    atol: Optional[float]
    equal_nan: bool
    device: bool
    dtype: bool
    stride: bool
    prefix: str = ""

    def at(self, key: Any) -> _Rules:
        return self._replace(prefix=f"{self.prefix}[{key!r}]")


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: Optional[float] = None,
    atol: Optional[float] = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Tensors, NumPy arrays, numbers, and sequences or mappings of them. Both tolerances
    or neither are given; else they follow from the type: 1.3e-6 and 1e-5 for float32,
    1e-7 for float64, 1e-3 for float16, 1.6e-2 for bfloat16, none for whole numbers. The
    message tells how many elements differ, and where most. ValueError for one
    tolerance alone, TypeError for what cannot be compared.

    >>> import tracefuse
    >>> assert_close(tracefuse.tensor([1.0, 2.0]), tracefuse.tensor([1.0, 2.0]))
    >>> assert_close(tracefuse.tensor([1.0, 2.0]), tracefuse.tensor([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.2 at index (1,) (up to 1.3e-06 allowed)
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            "rtol and atol must both be specified or both be unspecified, but got "
            f"rtol={rtol} and atol={atol}"
        )
    flags = (equal_nan, check_device, check_dtype, check_stride)
    try:
        _compare(actual, expected, _Rules(rtol, atol, *flags))
    except AssertionError as error:
        said = msg(str(error)) if callable(msg) else msg or str(error)
        raise AssertionError(said) from None


def _compare(a: Any, b: Any, rules: _Rules) -> None:
    plain = (str, bytes, Tensor, np.ndarray)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if a.keys() != b.keys():
            _fail(rules, f"The keys of the mappings do not match: {[*a]} != {[*b]}")
        for key in a:
            _compare(a[key], b[key], rules.at(key))
    elif _listed(a, plain) and _listed(b, plain):
        if len(a) != len(b):
            said = "The length of the sequences mismatch"
            _fail(rules, f"{said}: {len(a)} != {len(b)}")
        for i, pair in enumerate(zip(a, b)):
            _compare(*pair, rules.at(i))
    elif a is None or b is None:
        if a is not b:
            _fail(rules, f"None mismatch: {a} is not {b}")
    else:
        _compare_numbers(a, b, rules)


def _listed(x: Any, plain: tuple) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, plain)


def _compare_numbers(a: Any, b: Any, rules: _Rules) -> None:
    x, y = _array(a), _array(b)
    if x.shape != y.shape:
        given = f"{_size(x)} != {_size(y)}"
        _fail(rules, f"The values for attribute 'shape' do not match: {given}.")
    for name, wanted in (("device", rules.device), ("dtype", rules.dtype)):
        one, other = getattr(a, name, None), getattr(b, name, None)
        if wanted and one is not None and other is not None and one != other:
            given = f"{one} != {other}"
            _fail(rules, f"The values for attribute {name!r} do not match: {given}.")
    if rules.stride and isinstance(a, Tensor) and a.stride() != b.stride():
        given = f"{a.stride()} != {b.stride()}"
        _fail(rules, f"The values for attribute 'stride()' do not match: {given}.")
    _compare_values(x, y, rules)


def _compare_values(x: np.ndarray, y: np.ndarray, rules: _Rules) -> None:
    relative, absolute = _tolerance(x, y, rules)
    wide = np.complex128 if "c" in (x.dtype.kind, y.dtype.kind) else np.float64
    exact = x.dtype.kind in "iub" and y.dtype.kind in "iub"
    p, q = (x, y) if exact else (x.astype(wide), y.astype(wide))
    with np.errstate(all="ignore"):
        gap = np.abs(p.astype(wide) - q.astype(wide))
        near = (p == q) | (np.isfinite(gap) & (gap <= absolute + relative * np.abs(q)))
        if rules.equal_nan and not exact:
            near |= np.isnan(p) & np.isnan(q)
        ratio = gap / np.abs(q)
    if near.all():
        return
    how = "close" if relative or absolute else "equal"
    if not x.ndim:
        told = [
            f"Scalars are not {how}!\n\nExpected {y.item()} but got {x.item()}.",
            f"Absolute difference: {float(gap)}{_allowed(absolute)}",
            f"Relative difference: {float(ratio)}{_allowed(relative)}",
        ]
        _fail(rules, "\n".join(told))
    count = int((~near).sum())
    told = [
        f"Tensor-likes are not {how}!\n",
        f"Mismatched elements: {count} / {near.size} ({100 * count / near.size:.1f}%)",
        _greatest("absolute", np.where(near, 0, gap), absolute),
        _greatest("relative", np.where(near, 0, ratio), relative),
    ]
    _fail(rules, "\n".join(told))


def _greatest(word: str, difference: np.ndarray, allowed: float) -> str:
    at = np.unravel_index(int(np.argmax(difference)), difference.shape)
    where, most = tuple(map(int, at)), float(difference[at])
    return f"Greatest {word} difference: {most} at index {where}{_allowed(allowed)}"


def _allowed(tolerance: float) -> str:
    return f" (up to {tolerance} allowed)" if tolerance else ""


def _tolerance(x: np.ndarray, y: np.ndarray, rules: _Rules) -> tuple[float, float]:
    if rules.rtol is not None and rules.atol is not None:
        return rules.rtol, rules.atol
    pairs = [TOLERANCE.get(each.dtype.name, (0.0, 0.0)) for each in (x, y)]
    return max(p[0] for p in pairs), max(p[1] for p in pairs)


def _array(x: Any) -> np.ndarray:
    if isinstance(x, Tensor):
        return x.detach().cpu().numpy()  # type: ignore[attr-defined]
    array = np.asarray(x)
    if array.dtype.kind not in "biufcV":
        raise TypeError(f"{type(x).__name__} cannot be compared: no numbers")
    return array


def _size(array: np.ndarray) -> str:
    return f"torch.Size({list(array.shape)})"


def _fail(rules: _Rules, said: str) -> None:
    place = f"\n\nThe failure occurred for item {rules.prefix}" if rules.prefix else ""
    raise AssertionError(said + place)
