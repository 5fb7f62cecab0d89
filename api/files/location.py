"""Where the tensors of a file go: `map_location`."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..device import place
from ..place import copies
from ..tensor import Tensor, fresh

__all__ = ["location"]


def location(map_location: Any) -> Callable[[np.ndarray], Any]:
    """What puts an array of a file where it is wanted.

    `map_location` is a device, a dict from names of devices, or a function of a tensor
    and such a name. A file does not say where its tensors lay: to all of these it is
    "cpu", and None leaves them there. DeviceError for a device that is missing,
    RuntimeError for no device at all.
    """
    if isinstance(map_location, dict):
        places = {str(k): place(wanted) for k, wanted in map_location.items()}
        return lambda array: copies.moved(array, places.get("cpu"))
    if callable(map_location):
        return lambda array: _chosen(map_location(fresh(array), "cpu"), array)
    there = None if map_location is None else place(map_location)
    if there is None:
        return lambda array: array
    return lambda array: copies.moved(array, there)


def _chosen(found: Any, array: np.ndarray) -> Any:
    return found._array if isinstance(found, Tensor) else array
