"""Learning rates that change while training: called once an epoch (or step)."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Callable, Iterable, Optional, Sequence, Union

from ...tracer.record import state
from ..tensor import Tensor
from .optimizer import Optimizer

__all__ = ["LRScheduler", "StepLR", "MultiStepLR", "ExponentialLR", "LambdaLR"]
__all__ += ["MultiplicativeLR", "CosineAnnealingLR"]


def check_optimizer(optimizer: Any) -> None:
    """TypeError for anything but an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def not_replayed() -> None:
    """A schedule is Python state: a program that moves or asks one is not kept."""
    rec = state.recorder
    if rec is not None:
        rec.volatile = "a learning rate schedule is used inside the function"


def set_rate(group: dict, lr: Any) -> None:
    """Give a group of parameters a new learning rate."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)  # type: ignore[attr-defined]
    else:
        group["lr"] = lr


class LRScheduler:
    """The base: subclasses write `get_lr()`, the rates of the groups at `last_epoch`.

    Creating one makes its first step. TypeError when `optimizer` is none, KeyError
    when resuming (`last_epoch` not -1) without "initial_lr" in the groups.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when "
                    "resuming an optimizer"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch, self._step_count = last_epoch, 0
        self.step()

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        raise NotImplementedError

    def get_last_lr(self) -> list:
        """The rates that the last step set."""
        not_replayed()
        return self._last_lr

    def step(self, epoch: Optional[int] = None) -> None:
        """Go to the next epoch, or (anew from the first one) to a given one."""
        not_replayed()
        self._step_count += 1
        if epoch is None:
            self._go_to(self.last_epoch + 1)
        else:
            self._set(self.base_lrs)
            for each in range(epoch + 1):
                self._go_to(each)
        self._last_lr = self._rates()

    def _go_to(self, epoch: int) -> None:
        self.last_epoch = epoch
        self._set(self.get_lr())

    def _set(self, rates: list) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates):
            set_rate(group, lr)

    def _rates(self) -> list:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _times(self, factor: float) -> list:
        """The present rates, scaled."""
        return [lr * factor for lr in self._rates()]

    def state_dict(self) -> dict:
        """Everything but the optimizer."""
        return {key: v for key, v in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict` gave."""
        self.__dict__.update(state_dict)


class StepLR(LRScheduler):
    """Times gamma every `step_size` epochs.

    >>> import tracefuse
    >>> opt = tracefuse.optim.SGD([tracefuse.ones(1)], lr=1.0)
    >>> scheduler = StepLR(opt, step_size=2, gamma=0.5)
    >>> for _ in range(4): scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        step_size: int,
        gamma: float = 0.1,
        last_epoch: int = -1,
    ):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        due = self.last_epoch and self.last_epoch % self.step_size == 0
        return self._times(self.gamma if due else 1)


class MultiStepLR(LRScheduler):
    """Times gamma at each of the `milestones`."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ):
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        return self._times(self.gamma ** self.milestones[self.last_epoch])


class ExponentialLR(LRScheduler):
    """Times gamma every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        return self._times(self.gamma if self.last_epoch else 1)


Lambda = Union[Callable[[int], float], Sequence[Callable[[int], float]]]


class LambdaLR(LRScheduler):
    """The initial rate times `lr_lambda(epoch)` (one function, or one per group).

    ValueError when there are not as many functions as groups.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambda, last_epoch: int = -1):
        count = len(optimizer.param_groups)
        given = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(given) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(given)}")
        self.lr_lambdas = given
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        pairs = zip(self.base_lrs, self.lr_lambdas)
        return [base * f(self.last_epoch) for base, f in pairs]

    def state_dict(self) -> dict:
        """Everything but the optimizer and the functions."""
        return {k: v for k, v in super().state_dict().items() if k != "lr_lambdas"}


class MultiplicativeLR(LambdaLR):
    """The present rate times `lr_lambda(epoch)`."""

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        if self.last_epoch <= 0:
            return self._rates()
        return [
            lr * f(self.last_epoch) for lr, f in zip(self._rates(), self.lr_lambdas)
        ]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate to eta_min in T_max epochs, and back
    (arXiv:1608.03983).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rate of each group at `last_epoch`."""
        epoch, least, T = self.last_epoch, self.eta_min, self.T_max
        if epoch == 0:
            return self._rates()
        if (epoch - 1 - T) % (2 * T) == 0:  # the step up from the lowest point
            rise = (1 - math.cos(math.pi / T)) / 2
            pairs = zip(self._rates(), self.base_lrs)
            return [lr + (base - least) * rise for lr, base in pairs]
        now, before = (1 + math.cos(math.pi * e / T) for e in (epoch, epoch - 1))
        return [now / before * (lr - least) + least for lr in self._rates()]
