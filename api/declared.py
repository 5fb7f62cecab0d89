"""What Tensor has by way of syntax; declared.pyi tells type checkers of the rest."""

from __future__ import annotations

from ..tracer.algebra import Algebra

__all__ = ["Declared"]

Declared = Algebra
