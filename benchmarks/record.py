"""The file of results: complete after every case, so that a run may end at any time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Record"]


class Record:
    """What was measured: `head` of each run, `cases` by name, `left` what was not."""

    def __init__(self, path: Path, resume: bool = False):
        self.path = path
        self.told: dict[str, Any] = {"runs": [], "cases": {}, "left": []}
        if resume and path.exists():
            self.told = json.loads(path.read_text(encoding="utf-8"))

    def begin(self, head: dict[str, Any]) -> None:
        """Another run."""
        self.told["runs"].append(head)
        self.write()

    def has(self, name: str) -> bool:
        """Whether a case is there, measured or found wrong."""
        return name in self.told["cases"]

    def add(self, name: str, found: dict[str, Any]) -> None:
        """A case is done."""
        run = len(self.told["runs"]) - 1
        self.told["cases"][name] = {"run": run, **found}
        self.write()

    def leave(self, names: list[str]) -> None:
        """There was no time for these."""
        self.told["left"] = names
        self.write()

    def write(self) -> None:
        """Under its name there is always a whole file."""
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(self.told, indent=1), encoding="utf-8")
        os.replace(draft, self.path)
