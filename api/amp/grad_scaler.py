"""GradScaler: a loss scaled up, so that small float16 gradients do not vanish.

Recorded, nothing of it asks for a number: a step whose gradients overflowed is a
`where` between what the optimizer had and what it made of them, and the scale and its
counter are tensors. So a whole training step is one program with one way through.
"""

from __future__ import annotations

import enum
import warnings
import weakref
from typing import Any, Iterable, NamedTuple, Optional

import numpy as np

from ...tracer.record import state
from ...tracer.types import float16, float32, float64
from ...tracer.watch import touch
from ...tracer.where import user_level
from .. import cuda
from ..device import where
from ..gradmode import no_grad
from ..math.comparison import isfinite
from ..math.composite import cast
from ..place import copies
from ..tensor import Tensor, fresh, pointwise, write
from .settings import Settings, demand
from .skipping import step_unless

__all__ = ["GradScaler"]


class OptState(enum.Enum):
    """How far an optimizer has come since the last `update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


class Progress(NamedTuple):
    """Of one optimizer: how far it is, what was found, and which recording said so."""

    stage: OptState
    found: dict
    recorder: Any


# Scalers of which a recording may have read how far they are. Not an attribute: whether
# anything was recorded is no part of what a program does.
_READ: weakref.WeakSet = weakref.WeakSet()
_START = Progress(OptState.READY, {}, None)
_FIX = (
    "This may indicate your script did not use scaler.scale(loss or outputs) earlier "
    "in the iteration."
)


class GradScaler(Settings):
    """Scales losses, unscales gradients, skips steps whose gradients are not finite.

    The scale shrinks by `backoff_factor` after a skipped step and grows by
    `growth_factor` after `growth_interval` steps in a row that were not. `device` is
    where the gradients are, "cuda" or "cpu": without a GPU the former disables it,
    with a warning. AssertionError for factors on the wrong side of 1.

    >>> import tracefuse
    >>> p = tracefuse.ones(1, requires_grad=True)
    >>> sgd, scaler = tracefuse.optim.SGD([p], lr=0.5), GradScaler("cpu")
    >>> scaler.scale((p * 2).sum()).backward()
    >>> scaler.step(sgd)
    >>> scaler.update()
    >>> p, scaler.get_scale()
    (tensor([0.], requires_grad=True), 65536.0)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        self._device, self._enabled = device, enabled
        if enabled and device == "cuda" and not cuda.is_available():
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  "
                "Disabling.",
                stacklevel=user_level(),
            )
            self._enabled = False
        if not self._enabled:
            return
        demand(growth_factor > 1.0, "The growth factor must be > 1.0.")
        demand(backoff_factor < 1.0, "The backoff factor must be < 1.0.")
        self._init_scale, self._init_growth_tracker = init_scale, 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._scale: Optional[Tensor] = None
        self._growth_tracker: Optional[Tensor] = None
        self._per_optimizer_states: dict[int, Progress] = {}

    # -- how far each optimizer is

    def _progress(self, optimizer: Any) -> Progress:
        self._note_reading()
        return self._per_optimizer_states.get(id(optimizer), _START)

    def _note_reading(self) -> None:
        if state.recorder is not None:
            _READ.add(self)

    def _advance(self, optimizer: Any, stage: OptState, found: dict) -> None:
        before = self._per_optimizer_states.get(id(optimizer))
        now = Progress(stage, found, state.recorder)
        self._per_optimizer_states[id(optimizer)] = now
        self._tell([before] if before else [])

    def _tell(self, replaced: Iterable[Progress]) -> None:
        """What one recording does and undoes is no change; any other is told."""
        if state.recorder is None:
            if self in _READ:
                touch()
        elif any(p.recorder is not state.recorder for p in replaced):
            touch()

    def _found_inf_per_device(self, optimizer: Any) -> dict:
        return self._progress(optimizer).found

    # -- the four steps of an iteration

    def scale(self, outputs: Any) -> Any:
        """`outputs` (a tensor or nested iterables of them) times the scale.

        ValueError for anything else.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._started(outputs)
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(map(self.scale, outputs))
        if isinstance(outputs, Iterable):
            return map(self.scale, outputs)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _started(self, outputs: Tensor) -> Tensor:
        """The scale; it lies where the first outputs do."""
        if self._scale is None:
            there = where(outputs)
            scale = np.array(self._init_scale, np.float32)
            self._scale = _placed(scale, there)
            successes = np.array(self._init_growth_tracker, np.int32)
            self._growth_tracker = _placed(successes, there)
        return self._scale

    def _tensors(self, name: str) -> tuple[Tensor, Tensor]:
        if self._scale is None or self._growth_tracker is None:
            raise AssertionError(f"Attempted {name} but _scale is None.  {_FIX}")
        return self._scale, self._growth_tracker

    @no_grad()
    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer by the scale, noting any inf or NaN.

        `step` does it otherwise. RuntimeError when it comes twice, or after `step`;
        ValueError for float16 gradients.
        """
        if not self._enabled:
            return
        scale, _ = self._tensors("unscale_")
        stage = self._progress(optimizer).stage
        if stage is OptState.UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last "
                "update()."
            )
        if stage is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = cast(1 / cast(scale, float64), float32)
        found = _unscaled(optimizer, inverse)
        self._advance(optimizer, OptState.UNSCALED, found)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(...)` on unscaled gradients; nothing if one is inf or NaN.

        RuntimeError for a second call before `update`, and for a closure.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError(
                "Closure use is not currently supported if GradScaler is enabled."
            )
        self._tensors("step")
        stage = self._progress(optimizer).stage
        if stage is OptState.STEPPED:
            raise RuntimeError(
                "step() has already been called since the last update()."
            )
        if stage is OptState.READY:
            self.unscale_(optimizer)
        found = self._progress(optimizer).found
        demand(bool(found), "No inf checks were recorded for this optimizer.")
        result = step_unless(_any(found.values()), optimizer, args, kwargs)
        self._advance(optimizer, OptState.STEPPED, found)
        return result

    @no_grad()
    def update(self, new_scale: Any = None) -> None:
        """Adjust the scale to what was found since the last time, or to `new_scale`.

        AssertionError where no gradient was looked at, or `new_scale` is no float and
        no tensor of one element.
        """
        if not self._enabled:
            return
        scale, tracker = self._tensors("update")
        if new_scale is None:
            self._note_reading()
            every = self._per_optimizer_states.values()
            founds = [found for p in every for found in p.found.values()]
            demand(bool(founds), "No inf checks were recorded prior to update.")
            self._adjust(scale, tracker, _any(founds))
        else:
            write(scale, _checked_scale(new_scale))
        done = list(self._per_optimizer_states.values())
        self._per_optimizer_states.clear()
        if done:
            self._tell(done)

    def _adjust(self, scale: Tensor, tracker: Tensor, skipped: Tensor) -> None:
        wide, successes = cast(scale, float64), tracker + 1
        grown = cast(wide * self._growth_factor, float32)
        grown = pointwise("where", isfinite(grown), grown, scale)
        enough = successes == self._growth_interval
        up = pointwise("where", enough, grown, scale)
        down = cast(wide * self._backoff_factor, float32)
        write(scale, pointwise("where", skipped, down, up))
        write(tracker, pointwise("where", skipped | enough, 0, successes))


def _placed(array: np.ndarray, there: Any) -> Tensor:
    return fresh(array if there is None else copies.moved(array, there))


def _any(founds: Iterable[Tensor]) -> Tensor:
    """Whether one of them is not 0."""
    first, *others = (found > 0 for found in founds)
    for other in others:
        first = first | other
    return first


def _unscaled(optimizer: Any, inverse: Tensor) -> dict:
    """Multiply all gradients; by device, 1.0 where one of them is not finite."""
    found: dict[Any, Any] = {}
    for group in optimizer.param_groups:
        for p in group["params"]:
            grad = p.grad
            if grad is None:
                continue
            if grad.dtype is float16:
                raise ValueError("Attempting to unscale FP16 gradients.")
            bad = ~isfinite(grad).all()
            at = grad.device
            found[at] = found[at] | bad if at in found else bad
            write(grad, grad * inverse)
    return {device: cast(bad, float32) for device, bad in found.items()}


def _checked_scale(new: Any) -> Any:
    if isinstance(new, float):
        return new
    fits = isinstance(new, Tensor) and new.shape.numel() == 1 and not new.requires_grad
    demand(
        fits,
        "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
        "torch.FloatTensor with requires_grad=False.",
    )
    return new.reshape(())
