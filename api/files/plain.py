"""Plain Python values as JSON and back: exact, and trusting nothing.

JSON has numbers, strings and lists of its own; what it lacks is an object with one
key that says what it is: `{"tuple": [1, 2]}`, `{"float": "nan"}`. So integers and
floats, lists and tuples stay apart, and keys of dicts may be numbers.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import Any, Callable, NoReturn, Optional

import numpy as np

from ...tracer.errors import FormatError
from ...tracer.types import DTYPES, DType
from ..tensor import Size

__all__ = ["dumps", "loads", "encode", "encode_number", "decode", "show", "spell"]
__all__ += ["SCALARS"]

DEEPEST = 100
DIGITS = 300  # of an integer: reading takes time that is quadratic in them
SCALARS = (type(None), bool, int, float, str)
WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def dumps(document: Any) -> str:
    """The JSON text of what `encode` made."""
    return json.dumps(
        document, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


def loads(text: str, where: str) -> Any:
    """The document of a JSON text; FormatError for whatever could mean two things.

    >>> loads('{"a": [1, 2.5, null]}', "here")
    {'a': [1, 2.5, None]}
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refused,
        )
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is not valid JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key stands twice among {show([k for k, _ in pairs])}")
    return found


def _integer(text: str) -> int:
    return int(text) if len(text) <= DIGITS else _refused(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def _refused(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:24]}")


def show(found: Any) -> str:
    """A short form for messages: what a file holds can be of any length."""
    text = repr(found[:80] if isinstance(found, (str, list)) else found)
    return text if len(text) <= 100 else f"{text[:97]}..."


# -- values to documents


def spell(path: tuple) -> str:
    """A place in a nest of containers, for messages: `checkpoint['epoch']`."""
    return path[0] + "".join(f"[{show(key)}]" for key in path[1:])


def encode(x: Any, path: tuple, other: Callable[[Any, tuple], Any]) -> Any:
    """The document of a value; `other(x, path)` makes that of what is not plain.

    `path` says where in the whole `x` stands: a name, then keys and indices.
    """
    if len(path) > DEEPEST:
        raise ValueError(
            f"{spell(path[:4])}... nests more than {DEEPEST} levels deep: a circle?"
        )
    if type(x) in SCALARS or isinstance(x, np.generic):
        return encode_number(x, path)
    if isinstance(x, DType):
        return {"dtype": x.name}
    kind = next((name for name, match in _KINDS if match(x)), None)
    if kind is None:
        return other(x, path)
    if kind in ("dict", "ordered"):
        return {kind: [_pair(k, v, path, other) for k, v in x.items()]}
    below = [encode(v, (*path, i), other) for i, v in enumerate(x)]
    return below if kind == "list" else {kind: below}


_KINDS: tuple = (
    ("list", lambda x: type(x) is list),
    ("tuple", lambda x: type(x) is tuple),
    ("size", lambda x: type(x) is Size),
    ("dict", lambda x: type(x) is dict),
    ("ordered", lambda x: isinstance(x, OrderedDict)),  # state dicts among them
)


def _pair(k: Any, v: Any, path: tuple, other: Callable) -> list:
    if type(k) not in SCALARS and not isinstance(k, np.generic):
        raise TypeError(
            f"{spell(path)} has a key of type {type(k).__name__}; a file keeps keys "
            "that are strings, numbers or None"
        )
    return [encode_number(k, path), encode(v, (*path, k), other)]


def encode_number(x: Any, path: tuple) -> Any:
    """The document of None, a string or a number (also one of NumPy's)."""
    x = x.item() if isinstance(x, np.generic) else x
    if type(x) not in SCALARS:
        x = float(x) if hasattr(x, "__float__") else x  # bfloat16 and its like
    if isinstance(x, float) and not math.isfinite(x):
        return {"float": repr(x)}
    if isinstance(x, int) and abs(x) >= 10 ** (DIGITS - 1):
        raise ValueError(f"{spell(path)} is an integer of {DIGITS} digits or more")
    if type(x) not in SCALARS:
        raise TypeError(f"{spell(path)} is a {type(x).__name__}, no plain value")
    return x


# -- documents to values


def decode(
    document: Any,
    where: str,
    other: Optional[Callable[[str, Any, str], Any]] = None,
    depth: int = 0,
) -> Any:
    """The value of a document; `other(tag, body, where)` reads what is not plain.

    >>> decode({"tuple": [1, {"float": "inf"}]}, "here")
    (1, inf)
    """
    if depth > DEEPEST:
        raise FormatError(f"{where} nests more than {DEEPEST} levels deep")
    if type(document) in SCALARS:
        return document
    if type(document) is list:
        return _items(document, where, other, depth)
    if type(document) is not dict or len(document) != 1:
        raise FormatError(f"{where} is {show(document)}, expected an object of one key")
    ((tag, body),) = document.items()
    read = _READ.get(tag)
    if read is not None:
        return read(body, f"{where}.{tag}", other, depth)
    if other is None:
        raise FormatError(f"{where} has the key {show(tag)}, which says nothing here")
    return other(tag, body, where)


def _items(body: Any, where: str, other: Any, depth: int) -> list:
    if type(body) is not list:
        raise FormatError(f"{where} is {show(body)}, expected a list")
    return [decode(x, f"{where}[{i}]", other, depth + 1) for i, x in enumerate(body)]


def _sizes(body: Any, where: str, other: Any, depth: int) -> Size:
    sizes = _items(body, where, None, depth)
    if any(type(n) is not int for n in sizes):
        raise FormatError(f"{where} is {show(body)}, expected integers")
    return Size(sizes)


def _mapping(body: Any, where: str, other: Any, depth: int) -> dict:
    pairs = [_pair_of(p, where) for p in (body if type(body) is list else [body])]
    found: dict = {}
    for key, value in pairs:
        key = decode(key, where, None, depth + 1)
        if type(key) not in SCALARS or key in found:
            raise FormatError(f"{where} has the key {show(key)}, not new or not plain")
        found[key] = decode(value, f"{where}[{show(key)}]", other, depth + 1)
    return found


def _pair_of(pair: Any, where: str) -> list:
    if type(pair) is not list or len(pair) != 2:
        raise FormatError(f"{where} holds {show(pair)}, expected lists [key, value]")
    return pair


def _float(body: Any, where: str, other: Any, depth: int) -> float:
    return WORDS[_word(body, WORDS, where)]


def _dtype(body: Any, where: str, other: Any, depth: int) -> DType:
    return DTYPES[_word(body, DTYPES, where)]


def _word(body: Any, known: dict, where: str) -> str:
    if type(body) is not str or body not in known:
        words = ", ".join(known)
        raise FormatError(f"{where} is {show(body)}, expected one of {words}")
    return body


_READ: dict[str, Callable] = {
    "float": _float,
    "dtype": _dtype,
    "size": _sizes,
    "tuple": lambda *a: tuple(_items(*a)),
    "dict": _mapping,
    "ordered": lambda *a: OrderedDict(_mapping(*a)),
}
