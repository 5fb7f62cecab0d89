"""Answering `import torch` with tracefuse, for scripts written for PyTorch."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any, Optional

__all__ = ["StandIn", "stand_in"]

ASKED, OURS = "torch", "tracefuse"


class StandIn(MetaPathFinder, Loader):
    """Finds `torch` and what lies below it: tracefuse's modules, the same objects."""

    def __init__(self) -> None:
        self.specs: dict[str, Any] = {}

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> Optional[ModuleSpec]:
        """Where `torch...` comes from; None for any other name."""
        if name.partition(".")[0] != ASKED:
            return None
        module = self._ours(name)
        return spec_from_loader(name, self, is_package=hasattr(module, "__path__"))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """No new module: ours."""
        module = self._ours(spec.name)
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do but to undo what the import system changed."""
        asked = module.__spec__
        if asked is not None:
            module.__spec__ = self.specs.pop(asked.name)

    def _ours(self, name: str) -> ModuleType:
        ours = OURS + name[len(ASKED) :]
        try:
            return import_module(ours)
        except ModuleNotFoundError as error:
            if error.name != ours:
                raise
            said = f"tracefuse, which answers for {ASKED} here, has no {name}"
            raise ModuleNotFoundError(said, name=name) from None


def stand_in() -> None:
    """From now on `import torch` gives tracefuse; RuntimeError if it came too late."""
    loaded = sys.modules.get(ASKED)
    if loaded is not None and loaded is not sys.modules[OURS]:
        raise RuntimeError("PyTorch itself is imported already: start anew")
    if not any(isinstance(finder, StandIn) for finder in sys.meta_path):
        sys.meta_path.insert(0, StandIn())
