"""Sizes as text: read, and worked out for given symbols. Integer arithmetic only."""

from __future__ import annotations

import ast
from typing import Optional

from ..sizes import Dim, Int

__all__ = ["evaluate", "parse_size", "substitute"]


def evaluate(size: Int, sizes: dict) -> int:
    """The size as a number, given one number for each symbol.

    >>> evaluate(Dim("b") * 2 + 1, {"b": 4})
    9
    """
    return size if isinstance(size, int) else int(_walk(size.text, sizes))


def substitute(size: Int, names: dict) -> Int:
    """The size with other sizes in place of its symbols (all must be named).

    >>> substitute(Dim("b") * 2, {"b": Dim("n") + 1})
    2*n + 2
    """
    return size if isinstance(size, int) else _walk(size.text, names)


def parse_size(text: str, hints: Optional[dict] = None) -> Int:
    """The size that `text` spells; ValueError for anything but integer arithmetic."""
    symbols: dict = {}
    for node in ast.walk(_expression(text)):
        if isinstance(node, ast.Name):
            symbol = Dim(node.id)
            symbols[node.id] = symbol.bind(hints[node.id]) if hints else symbol
    return _walk(text, symbols)


def _expression(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"not a size: {text!r}") from None


_SIGNS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
}


def _walk(text: str, names: dict) -> Int:
    def visit(node: ast.expr) -> Int:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, ast.Name) and node.id in names:
            return names[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -visit(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            return _SIGNS[type(node.op)](visit(node.left), visit(node.right))
        raise ValueError(f"not a size: {text!r}")

    return visit(_expression(text))
