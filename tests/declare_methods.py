"""`python tests/declare_methods.py` writes what type checkers see of Tensor.

Methods are functions of many files that `@method` makes methods when they are imported.
A checker does not run that; so their signatures are written out, from the very objects.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import typing
from pathlib import Path
from typing import Any, Iterator

import tracefuse
from tracefuse import Tensor

STUB = Path(__file__).parents[1] / "api" / "declared.pyi"
HOME = "tracefuse."
HEAD = '''# ruff: noqa
"""What type checkers are told of the methods that other files give to Tensor.

Written by tests/declare_methods.py from the methods themselves; a test compares.
"""

import builtins
from typing import {typing}

import numpy as np
from typing_extensions import Self

{imports}

class Declared(Algebra):
'''
# What has no annotation to read: Python's own protocols, and properties.
PLAIN = {
    "__bool__": "builtins.bool",
    "__complex__": "builtins.complex",
    "__contains__": "builtins.bool",
    "__float__": "builtins.float",
    "__getitem__": "Tensor",
    "__index__": "builtins.int",
    "__int__": "builtins.int",
    "__iter__": "Iterator[Tensor]",
    "__len__": "builtins.int",
    "__setitem__": "None",
    **dict.fromkeys(("__repr__", "__str__", "__format__"), "builtins.str"),
    **dict.fromkeys(("__reduce__", "__reduce_ex__", "__dir__"), "Any"),
    "__trunc__": "builtins.int",
    "__array__": "Any",
    "__array_wrap__": "Any",
    "__copy__": "Tensor",
    "__deepcopy__": "Tensor",
    "__dlpack__": "Any",
    "__dlpack_device__": "Any",
}
INPLACE = {f"__i{op}__" for op in "add sub mul truediv floordiv mod pow".split()}
INPLACE |= {f"__i{op}__" for op in "and or xor lshift rshift".split()}
PROPERTIES = {
    **dict.fromkeys(("H", "T", "mH", "mT"), "Tensor"),
    **dict.fromkeys(("is_cpu", "is_cuda", "is_leaf", "is_sparse"), "builtins.bool"),
    **dict.fromkeys(("itemsize", "nbytes"), "builtins.int"),
    "retains_grad": "builtins.bool",
    "data": "Tensor",
    "grad": "Tensor | Any",  # None comes up, but not where one reads it
    **dict.fromkeys(("grad_fn", "__cuda_array_interface__"), "Any"),
    "device": "Any",
}


class Writer:
    """The lines of the class, and what their annotations need."""

    def __init__(self) -> None:
        self.typing = {"Any", "Iterator"}
        self.imports = {"Tensor": "tensor", "Algebra": "..tracer.algebra"}

    def text(self) -> str:
        lines = [line for name, x in sorted(members()) for line in self.member(name, x)]
        lines.append("    def __getattr__(self, name: builtins.str) -> Any: ...")
        lines.append(
            "    def __setattr__(self, name: builtins.str, value: Any) -> None: ..."
        )
        rows = sorted((where, name) for name, where in self.imports.items())
        imports = "\n".join(
            f"from {'' if where.startswith('.') else '.'}{where} import {name}"
            for where, name in rows
        )
        names = ", ".join(sorted(self.typing))
        return HEAD.format(typing=names, imports=imports) + "\n".join(lines) + "\n"

    def member(self, name: str, x: Any) -> Iterator[str]:
        if isinstance(x, property):
            kind = PROPERTIES[name]
            yield "    @property"
            yield f"    def {name}(self) -> {kind}: ..."
            if x.fset is not None:
                yield f"    @{name}.setter"
                yield f"    def {name}(self, value: Any) -> None: ..."
            return
        head = f"    def {name}({self.parameters(x)}) -> {self.result(name, x)}:"
        first = (inspect.getdoc(x) or "").partition("\n\n")[0].replace("\n", " ")
        if not first or name.startswith("__"):
            yield f"{head} ..."
            return
        yield head
        yield f'        {"r" * (chr(92) in first)}"""{first}"""'

    def parameters(self, f: Any) -> str:
        found: list[str] = []
        star = False
        for i, p in enumerate(inspect.signature(f).parameters.values()):
            if p.kind is p.KEYWORD_ONLY and not star:
                found.append("*")
            star = star or p.kind in (p.VAR_POSITIONAL, p.KEYWORD_ONLY)
            found.append("self" if not i else self.parameter(f, p))
        return ", ".join(found)

    def parameter(self, f: Any, p: inspect.Parameter) -> str:
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else " = ..."
        return f"{stars}{p.name}: {self.annotation(f, p.annotation)}{default}"

    def result(self, name: str, f: Any) -> str:
        if name in PLAIN:
            return PLAIN[name]
        if name in INPLACE:
            return "Self"
        given = f.__annotations__.get("return")
        if given in (None, "Any") and name.startswith("__"):  # an operator
            return "Tensor"
        return self.annotation(f, given)

    def annotation(self, f: Any, text: Any) -> str:
        """The annotation in names that the stub has; Any where it is made of others."""
        if not isinstance(text, str):
            return "Any"
        tree = ast.parse(text.strip("'\""), mode="eval").body
        try:
            return ast.unparse(_Names(self, inspect.unwrap(f).__globals__).visit(tree))
        except LookupError:
            return "Any"


class _Names(ast.NodeTransformer):
    def __init__(self, writer: Writer, names: dict):
        self.writer, self.names = writer, names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if ast.unparse(node).split(".")[0] not in ("np", "builtins"):
            raise LookupError
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        x = self.names.get(node.id, getattr(builtins, node.id, None))
        if getattr(typing, node.id, None) is x and node.id[0].isupper():
            self.writer.typing.add(node.id)
        elif isinstance(x, type) and x.__module__ == "builtins":
            return ast.Name(f"builtins.{x.__name__}")
        elif isinstance(x, type) and x.__module__.startswith(HOME):
            where = x.__module__.removeprefix(HOME)
            below = where.removeprefix("api.")
            self.writer.imports[node.id] = below if below != where else f"..{where}"
        else:
            raise LookupError
        return node


def members() -> Iterator[tuple[str, Any]]:
    """What Tensor has by way of `@method` and the like, not from its own class body."""
    own = _body()
    for name in dir(tracefuse):  # some come with what is imported late
        getattr(tracefuse, name)
    for name in dir(Tensor):
        x = inspect.getattr_static(Tensor, name)
        private = name.startswith("_") and not name.startswith("__")
        if name in own or private or x is vars(object).get(name):
            continue
        if isinstance(x, property) or inspect.isfunction(x):
            yield name, x


def _body() -> set[str]:
    """The names in the class statement."""
    source = Path(inspect.getfile(Tensor)).read_text(encoding="utf-8")
    (body,) = (
        n.body
        for n in ast.parse(source).body
        if isinstance(n, ast.ClassDef) and n.name == "Tensor"
    )
    return {n.name for n in body if isinstance(n, ast.FunctionDef)}


if __name__ == "__main__":
    STUB.write_text(Writer().text(), encoding="utf-8")
