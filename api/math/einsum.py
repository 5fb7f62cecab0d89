"""Einstein summation: a product of tensors, summed over what the equation drops.

Every operand is a tensor whose axes carry labels. Two operands at a time are brought
into the form [batch, left, shared] times [batch, shared, right], which is one `dot`;
the pair with the smallest result goes first. (The notation is NumPy's.)
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

from ...tracer.sizes import hint, numel
from ..amp.ruled import ruled
from ..arrays.attributes import contiguous
from ..tensor import Tensor, apply, pointwise, view
from .triangles import diagonal

__all__ = ["einsum"]


class Term(NamedTuple):
    """A tensor and the label of each of its axes."""

    x: Tensor
    labels: tuple


@ruled
def einsum(equation: str, *operands: Any) -> Tensor:
    """The sum of products that `equation` describes, "ij,jk->ik" for matrices.

    One letter names each dimension, "..." the ones that broadcast. Letters missing
    behind the arrow are summed over; without an arrow those that occur once remain,
    in alphabetic order. A repeated letter in one operand takes its diagonal.
    RuntimeError when the equation does not fit the operands.

    >>> import tracefuse
    >>> a = tracefuse.tensor([[1, 2], [3, 4]])
    >>> tracefuse.einsum("ii", a), tracefuse.einsum("ij->i", a)
    (tensor(5), tensor([3, 7]))
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    inputs, output = _parse(equation, operands)
    terms = [_diagonals(Term(x, row)) for x, row in zip(operands, inputs)]
    terms = _squeezed(terms, _sizes(terms))
    while len(terms) > 1:
        i, j = _cheapest(terms, output)
        b, a = terms.pop(j), terms.pop(i)
        terms.append(_contract(a, b, _needed(terms, output)))
    return _arranged(terms[0], output)


# -- the equation


def _parse(equation: str, operands: tuple) -> tuple[list, tuple]:
    """The labels of the operands and of the result; those of "..." are numbers."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    rows = left.split(",")
    if len(rows) != len(operands):
        fault = "more" if len(rows) < len(operands) else "fewer"
        raise RuntimeError(
            f"einsum(): {fault} operands were provided than specified in the equation: "
            f"{len(operands)} for {equation!r}"
        )
    inputs = [_labels(row, x.ndim, i) for i, (row, x) in enumerate(zip(rows, operands))]
    dots = sorted({n for row in inputs for n in row if isinstance(n, int)})
    output = _result(right, dots) if arrow else _implicit(inputs, dots)
    known = {label for row in inputs for label in row}
    for label in output:
        if label not in known or output.count(label) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {label} must appear once in the output "
                f"and at least once in the inputs of {equation!r}"
            )
    return inputs, output


def _labels(row: str, ndim: int, which: int) -> tuple:
    before, dots, after = row.partition("...")
    letters = before + after
    if letters and not letters.isalpha():
        raise RuntimeError(
            f"einsum(): invalid subscript given at operand {which}: {row!r}; "
            "subscripts must be letters"
        )
    rest = ndim - len(letters)
    if rest < 0 or rest and not dots:
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(letters)}) does "
            f"not match the number of dimensions ({ndim}) for operand {which}"
            f"{'' if dots else ' and no ellipsis was given'}"
        )
    return (*before, *range(-rest, 0), *after)


def _result(row: str, dots: list) -> tuple:
    before, some, after = row.partition("...")
    return (*before, *(dots if some else ()), *after)


def _implicit(inputs: list, dots: list) -> tuple:
    every = [label for row in inputs for label in row if isinstance(label, str)]
    return (*dots, *sorted(label for label in set(every) if every.count(label) == 1))


# -- the operands


def _diagonals(term: Term) -> Term:
    """One axis for each label."""
    x, labels = term
    for label in set(labels):
        while labels.count(label) > 1:
            one = labels.index(label)
            two = labels.index(label, one + 1)
            if x.shape[one] != x.shape[two]:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for an operand but the "
                    f"sizes don't match, {x.shape[one]} != {x.shape[two]}"
                )
            x = diagonal(x, 0, one, two)
            rest = labels[:one] + labels[one + 1 : two] + labels[two + 1 :]
            labels = (*rest, label)
    return Term(x, labels)


def _sizes(terms: list) -> dict:
    """The size of each label: 1 gives way to others, others must agree."""
    sizes: dict = {}
    for which, (x, labels) in enumerate(terms):
        for label, n in zip(labels, x.shape):
            seen = sizes.setdefault(label, n)
            if seen is n or n == 1:
                continue
            if seen != 1 and seen != n:
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {n} for operand {which} "
                    f"which does not broadcast with previously seen size {seen}"
                )
            sizes[label] = n
    return sizes


def _squeezed(terms: list, sizes: dict) -> list:
    """Without axes of size 1 that broadcast against larger ones elsewhere."""
    out = []
    for x, labels in terms:
        stay = [sizes[label] is n or n != 1 for label, n in zip(labels, x.shape)]
        if not all(stay):
            shape = tuple(itertools.compress(x.shape, stay))
            x = view(x, "reshape", shape=shape)
            labels = tuple(itertools.compress(labels, stay))
        out.append(Term(x, labels))
    return out


def _needed(terms: list, output: tuple) -> set:
    return {label for term in terms for label in term.labels}.union(output)


def _cheapest(terms: list, output: tuple) -> tuple[int, int]:
    """The pair whose product is smallest."""

    def size(pair: tuple) -> int:
        rest = [term for i, term in enumerate(terms) if i not in pair]
        sizes = {n: s for i in pair for n, s in zip(terms[i].labels, terms[i].x.shape)}
        needed = _needed(rest, output)
        return math.prod(hint(s) for label, s in sizes.items() if label in needed)

    if len(terms) == 2:
        return 0, 1
    return min(itertools.combinations(range(len(terms)), 2), key=size)


# -- one product


def _contract(a: Term, b: Term, needed: set) -> Term:
    a, b = _summed(a, needed.union(b.labels)), _summed(b, needed.union(a.labels))
    both = [label for label in a.labels if label in b.labels]
    shared = [label for label in both if label not in needed]
    batch = [label for label in both if label in needed]
    left = [label for label in a.labels if label not in both]
    right = [label for label in b.labels if label not in both]
    if not shared:
        return _aligned(a, b, (*batch, *left, *right))
    if not left and not right:
        return _summed(_aligned(a, b, (*batch, *shared)), needed)
    sizes = {**dict(zip(a.labels, a.x.shape)), **dict(zip(b.labels, b.x.shape))}
    y = apply(
        "dot", _grouped(a, batch, left, shared), _grouped(b, batch, shared, right)
    )
    labels = (*batch, *left, *right)
    return Term(apply("reshape", y, shape=tuple(sizes[n] for n in labels)), labels)


def _summed(term: Term, needed: set) -> Term:
    x, labels = term
    over = tuple(i for i, n in enumerate(labels, -len(labels)) if n not in needed)
    if not over:
        return term
    return Term(
        apply("sum", x, axes=over), tuple(label for label in labels if label in needed)
    )


def _permuted(term: Term, order: tuple) -> Tensor:
    if order == term.labels:
        return term.x
    n = len(order)
    axes = tuple(term.labels.index(label) - n for label in order)
    return view(term.x, "permute", axes=axes)


def _grouped(term: Term, batch: list, one: list, two: list) -> Tensor:
    """[*batch, product of `one`, product of `two`]."""
    x = _permuted(term, (*batch, *one, *two))
    sizes = dict(zip(term.labels, term.x.shape))
    ends = (numel(tuple(sizes[n] for n in group)) for group in (one, two))
    return view(x, "reshape", shape=(*(sizes[n] for n in batch), *ends))


def _aligned(a: Term, b: Term, labels: tuple) -> Term:
    """The product element by element."""
    wide = []
    for term in (a, b):
        x = _permuted(term, tuple(n for n in labels if n in term.labels))
        sizes = dict(zip(term.labels, term.x.shape))
        wide.append(view(x, "reshape", shape=tuple(sizes.get(n, 1) for n in labels)))
    return Term(pointwise("mul", *wide), labels)


def _arranged(term: Term, output: tuple) -> Tensor:
    return contiguous(_permuted(_summed(term, set(output)), output))
