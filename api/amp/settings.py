"""What a GradScaler is set to, and how it is saved."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.watch import Watched, touch
from ..tensor import Tensor, write

__all__ = ["Settings", "demand"]

_MISSING = object()


def demand(holds: bool, why: str) -> None:
    """AssertionError, as PyTorch raises here, unless it holds."""
    if not holds:
        raise AssertionError(why)


class Settings(Watched):
    """The scale, its counter and its factors: asked for, changed, saved."""

    _enabled: bool
    _scale: Optional[Tensor]
    _growth_tracker: Optional[Tensor]
    _init_scale: float
    _init_growth_tracker: int
    _growth_factor: float
    _backoff_factor: float
    _growth_interval: int
    _per_optimizer_states: dict

    def __setattr__(self, name: str, value: Any) -> None:
        changed = self.__dict__.get(name, _MISSING) is not value
        self.__dict__[name] = value
        if changed:
            touch()

    def _get_scale_async(self) -> Optional[Tensor]:
        return self._scale

    def get_scale(self) -> float:
        """The scale; 1.0 where it is not enabled."""
        if not self._enabled:
            return 1.0
        scale: Any = self._scale
        return self._init_scale if scale is None else scale.item()

    def get_growth_factor(self) -> float:
        """By what the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Let it grow by another factor."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By what the scale shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Let it shrink by another factor."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many steps in a row it grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Let it grow after another number of steps."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        tracker: Any = self._growth_tracker
        return self._init_growth_tracker if tracker is None else tracker.item()

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self._enabled

    # -- saving

    def state_dict(self) -> dict[str, Any]:
        """The scale, its settings and the counter; empty where it is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave. RuntimeError for an empty one."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a "
                "disabled instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None and self._growth_tracker is not None:
            write(self._scale, self._init_scale)
            write(self._growth_tracker, self._init_growth_tracker)
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]

    def __getstate__(self) -> dict[str, Any]:
        now = self.__dict__.copy()
        if self._enabled:
            demand(
                not self._per_optimizer_states,
                "A GradScaler instance may only be pickled at the beginning of an "
                "iteration, or at the end after scaler.update().",
            )
            now["_init_scale"] = self.get_scale()
            now["_init_growth_tracker"] = self._get_growth_tracker()
            now["_scale"] = now["_growth_tracker"] = None
        return now

    def __setstate__(self, now: dict[str, Any]) -> None:
        self.__dict__.update(now)
