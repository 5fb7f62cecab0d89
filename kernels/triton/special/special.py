"""Primitives with a template of their own: scatter, running sums, sorting.

A template returns launches: (kernel, emitter, values written). None means that there
is none for this case, and the primitive runs on the host.
"""

from __future__ import annotations

from typing import Callable, Optional

from ....tracer.graph import Value
from .launching import Launch
from .scanning import cumulative
from .scattering import scatter

__all__ = ["special_kernel"]

Stored = Callable[[Value], bool]


def special_kernel(v: Value, name: str, stored: Stored) -> Optional[list[Launch]]:
    """The launches that compute `v`; None where there is no template."""
    template = _TEMPLATES.get(v.op)
    return template(v, name, stored) if template else None


_TEMPLATES: dict[str, Callable[[Value, str, Stored], Optional[list[Launch]]]] = {
    "cumulative": cumulative,
    "scatter": scatter,
}
