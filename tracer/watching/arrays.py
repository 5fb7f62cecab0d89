"""NumPy arrays that code may read: a part of `Pins` (pins.py).

An array that goes to tensors only is an input of the program: its numbers are read at
each call. Of any other it matters what they are: they are compared, if they are few.
"""

from __future__ import annotations

from types import CellType
from typing import Any, Callable, Iterator, Optional

import numpy as np

from ..recording.outside import Met
from .consumers import only_taken_by
from .pinning import Pinning
from .views import Contents, Form

__all__ = ["Arrays"]

_MOST = 1 << 20  # bytes that are compared at each call


class Arrays(Pinning):
    """Relies on the numbers, or only on the shape, of arrays."""

    found: list[np.ndarray]
    scopes: dict
    homes: set[int]
    cell_names: dict[int, set[str]]
    _seen: dict[int, Any]

    def _array(self, x: np.ndarray) -> tuple:
        if type(x) is not np.ndarray or x.dtype.hasobject:
            self._refuse(described(x))
        else:
            self.found.append(x)
            self.containers = True
        return ()

    def pin_arrays(
        self, met: dict[int, Met], given: set[int], once: list, restless: Callable
    ) -> None:
        """Rely on the arrays that were found, but not on those it was given (by id).

        `once` is the code that ran but once. `met` says of which tensors were made,
        and where, by id.
        `restless(array)` says which have changed too often to be compared.
        """
        for x in self.found:
            sites = met[id(x)].sites if id(x) in met else None
            if id(x) in given:
                self._refuse(f"{described(x)} among its arguments")
            elif sites and self._goes_to(x, sites, once):
                self.pin(Form(x), None, Form(x).get(None))
            elif x.nbytes > _MOST or restless(x):
                self._refuse(f"the numbers of {described(x)}, not by tensors alone")
            else:
                self.pin(Contents(x), None, Contents(x).get(None))

    def compares_numbers(self) -> bool:
        """Whether the numbers of an array matter: a run may have changed them."""
        return any(type(c) is Contents for c, _, _ in self.places)

    def _goes_to(self, x: np.ndarray, sites: set, once: list) -> bool:
        names: set = set(self._names_for(x))
        known = bool(names) and None not in names
        return known and all(
            only_taken_by(sites, name, self.codes, once) for name in names
        )

    def _names_for(self, x: np.ndarray) -> Iterator[Optional[str]]:
        """The names by which code finds the array; None where it needs none."""
        if self.dynamic:
            yield None
        for container, key, value in self.places:
            if value is x:
                if type(container) is CellType:
                    yield from self.cell_names.get(id(container), (None,))
                else:
                    yield key if self._by_name(container) else None
        for d, then in self.watched:
            for key, value in then.items():
                if value is x:
                    yield key if self._by_name(d) else None

    def _by_name(self, container: Any) -> bool:
        here = id(container)
        return here not in self._seen and (here in self.scopes or here in self.homes)


def described(x: Any) -> str:
    """An array in words."""
    return f"an array of shape {getattr(x, 'shape', '?')}"
