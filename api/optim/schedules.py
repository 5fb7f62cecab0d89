"""Learning rates that follow a line, a curve, a cycle, or other schedules in turn."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any, Optional, Sequence

from .lr_scheduler import LRScheduler, check_optimizer, not_replayed, set_rate
from .optimizer import Optimizer

__all__ = ["ConstantLR", "LinearLR", "PolynomialLR", "OneCycleLR"]
__all__ += ["CosineAnnealingWarmRestarts", "SequentialLR"]


class ConstantLR(LRScheduler):
    """Times `factor` for `total_iters` epochs, then the initial rate."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 <= factor <= 1.0:
            raise ValueError(
                "Constant multiplicative factor expected to be between 0 and 1."
            )
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        if self.last_epoch == 0:
            return self._times(self.factor)
        return self._times(
            1 / self.factor if self.last_epoch == self.total_iters else 1
        )


class LinearLR(LRScheduler):
    """From start_factor to end_factor of the initial rate in `total_iters` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < start_factor <= 1.0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less "
                "or equal to 1."
            )
        if not 0 <= end_factor <= 1.0:
            raise ValueError(
                "Ending multiplicative factor expected to be between 0 and 1."
            )
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        part = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * part

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        epoch = self.last_epoch
        before = self._factor(epoch - 1) if epoch > 0 else 1
        return self._times(self._factor(epoch) / before)


class PolynomialLR(LRScheduler):
    """The initial rate times (1 - epoch / total_iters) ** power, 0 in the end."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ):
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        epoch, total = self.last_epoch, self.total_iters
        if epoch == 0 or epoch > total:
            return self._rates()
        left = (1.0 - epoch / total) / (1.0 - (epoch - 1) / total)
        return self._times(left**self.power)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine down, over and over, each time T_mult times as long
    (arXiv:1608.03983).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ):
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        left, length = float(self.last_epoch), self.T_0
        while left >= length:
            left, length = left - length, length * self.T_mult
        part = (1 + math.cos(math.pi * left / length)) / 2
        return [self.eta_min + (b - self.eta_min) * part for b in self.base_lrs]


class OneCycleLR(LRScheduler):
    """Up to max_lr and down again within `total_steps` (arXiv:1708.07120).

    The length is total_steps, or epochs * steps_per_epoch. ValueError without either.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: Optional[int] = None,
        epochs: Optional[int] = None,
        steps_per_epoch: Optional[int] = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        last_epoch: int = -1,
    ):
        check_optimizer(optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(
                    "You must define either total_steps OR (epochs AND steps_per_epoch)"
                )
            total_steps = epochs * steps_per_epoch
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                "anneal_strategy must be one of 'cos' or 'linear', instead got "
                f"{anneal_strategy}"
            )
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.peak = float(pct_start * total_steps) - 1
        groups = optimizer.param_groups
        most = max_lr if isinstance(max_lr, (list, tuple)) else [max_lr] * len(groups)
        for group, lr in zip(groups, most):
            group["max_lr"], group["initial_lr"] = lr, lr / div_factor
            group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        self.momenta = (base_momentum, max_momentum)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, part: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`; moves the momentum the other way."""
        now, last = self.last_epoch, self.total_steps - 1
        if now > self.total_steps:
            raise ValueError(
                f"Tried to step {now} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        up = now <= self.peak or self.peak >= last
        part = now / self.peak if up else (now - self.peak) / (last - self.peak)
        names = ("initial_lr", "max_lr") if up else ("max_lr", "min_lr")
        least, most = self.momenta
        start, end = (most, least) if up else (least, most)
        if self.cycle_momentum:
            self._set_momentum(self._between(start, end, part))
        groups = self.optimizer.param_groups
        first, second = names
        return [self._between(g[first], g[second], part) for g in groups]

    def _set_momentum(self, momentum: float) -> None:
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = momentum


class SequentialLR(LRScheduler):
    """Several schedulers one after the other, changing at the `milestones`.

    ValueError unless there is one milestone fewer than schedulers.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ):
        check_optimizer(optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one "
                f"more than the number of milestone points, but got number of "
                f"schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self.optimizer, self._schedulers = optimizer, list(schedulers)
        self._milestones, self.last_epoch = list(milestones), last_epoch + 1
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        for scheduler in self._schedulers:
            scheduler.last_epoch -= 1
        self._schedulers[0].step()
        self._last_lr = self._schedulers[0].get_last_lr()

    def step(self, epoch: Optional[int] = None) -> None:
        """Go to the next epoch."""
        not_replayed()
        self.last_epoch += 1
        at = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[at]
        if at and self._milestones[at - 1] == self.last_epoch:
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self) -> dict:
        """Its own state and that of each scheduler."""
        state = super().state_dict()
        return {**state, "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict` gave."""
        own = {k: v for k, v in state_dict.items() if k != "_schedulers"}
        self.__dict__.update(own)
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"]):
            scheduler.load_state_dict(state)
