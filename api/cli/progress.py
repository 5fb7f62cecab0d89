"""Progress of a training: a bar on a terminal, plain lines on a pipe."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from typing import Any, Optional

__all__ = ["Progress"]


class Progress:
    """Hears of every batch and epoch, shows loss and accuracy; a context manager.

    >>> with Progress("jitted", epochs=2, batches=2, quiet=False) as progress:
    ...     for losses, accuracy in ((4.0, 2.0), 0.5), ((1.0, 0.0), 0.75):
    ...         for loss in losses:
    ...             progress.batch(loss)
    ...         progress.epoch(accuracy)
    jitted  epoch 1/2  loss 3.0000  accuracy 50.0%
    jitted  epoch 2/2  loss 0.5000  accuracy 75.0%
    """

    def __init__(self, name: str, epochs: int, batches: int, quiet: bool):
        self.name, self.epochs, self.quiet = name, epochs, quiet
        self.done = 0
        self.accuracy: Optional[float] = None
        self.losses: list[float] = []
        self.bar: Any = None
        if not quiet and sys.stdout.isatty():
            self.bar = _bar(name, epochs * batches)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def batch(self, loss: float) -> None:
        """One batch is done."""
        self.losses.append(loss)
        if self.bar is not None:
            self.bar.set_postfix_str(self._figures(loss), refresh=False)
            self.bar.update()

    def epoch(self, accuracy: float) -> None:
        """One epoch is done, and reached this accuracy."""
        self.accuracy, self.done = accuracy, self.done + 1
        figures = self._figures(sum(self.losses) / len(self.losses))
        self.losses = []
        if self.bar is not None:
            self.bar.set_postfix_str(figures)
        elif not self.quiet:
            place = f"epoch {self.done}/{self.epochs}"
            print(f"{self.name}  {place}  {figures}", flush=True)

    def _figures(self, loss: float) -> str:
        known = "" if self.accuracy is None else f"  accuracy {self.accuracy:.1%}"
        return f"loss {loss:.4f}{known}"


def _bar(name: str, total: int) -> Any:
    # A terminal that does not know its size says 0 by 0: tqdm would show nothing.
    columns, lines = shutil.get_terminal_size()
    tqdm = import_module("tqdm").tqdm
    return tqdm(total=total, desc=name, file=sys.stdout, ncols=columns, nrows=lines)
