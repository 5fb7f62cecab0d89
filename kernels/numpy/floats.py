"""Silence for NumPy's floating-point warnings, at the lowest price there is.

`floats.set(quiet)` ... `floats.reset(token)` is `with np.errstate(all="ignore")` for a
quarter of its 0.85 us: it sets the context variable that errstate sets. Where NumPy
has no such variable, the documented functions do the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["floats", "quiet"]

floats: Any
quiet: Any

try:
    from numpy._core.umath import _extobj_contextvar, _make_extobj

    floats, quiet = _extobj_contextvar, _make_extobj(all="ignore")
except ImportError:

    class _Floats:
        def set(self, state: dict) -> dict:
            return np.seterr(**state)

        def reset(self, before: dict) -> None:
            np.seterr(**before)

    floats, quiet = _Floats(), {"all": "ignore"}
