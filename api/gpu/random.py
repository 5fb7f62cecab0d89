"""Seeds and random states by `torch.cuda`'s names.

One counter-based generator draws for all devices, so that a program draws the same
numbers wherever it runs: what is said here is said to that one.
"""

from __future__ import annotations

from typing import Any, Iterable

from ..cuda import device_count, found, is_available
from ..random.generator import default_generator
from ..tensor import Tensor

__all__ = ["get_rng_state", "get_rng_state_all", "initial_seed", "manual_seed"]
__all__ += ["manual_seed_all", "seed", "seed_all", "set_rng_state"]
__all__ += ["set_rng_state_all"]


def manual_seed(seed: int) -> None:
    """Seed random draws. Without a GPU this does nothing, as in PyTorch."""
    if is_available():
        default_generator.manual_seed(seed)


manual_seed_all = manual_seed


def seed() -> None:
    """Seed random draws with a number from the operating system."""
    if is_available():
        default_generator.seed()


seed_all = seed


def initial_seed() -> int:
    """The seed that random draws began with; DeviceError where there is no GPU."""
    found()
    return default_generator.initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """The random state, as bytes in host memory; DeviceError for a missing GPU."""
    found(device)
    return default_generator.get_state()


def get_rng_state_all() -> list[Tensor]:
    """The same for each GPU."""
    return [default_generator.get_state() for _ in range(device_count())]


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Go back to a state; TypeError for what is none."""
    found(device)
    default_generator.set_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Go back to what `get_rng_state_all` gave."""
    for state in new_states:
        default_generator.set_state(state)
