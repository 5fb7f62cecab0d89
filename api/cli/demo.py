"""`python -m tracefuse demo`: the main job on real data, measured and checked."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..version import __version__
from . import digits
from .progress import Progress

__all__ = ["run"]

ACCURACY = 0.97
# Hundreds of steps amplify the rounding in which two orders of summation differ.
WEIGHTS = 1e-3
SCORES = 1e-4

RELOAD = """
import sys, time
import numpy, tracefuse
model, images, scores = sys.argv[1:]
start = time.perf_counter()
program = tracefuse.jit.load(model)
seconds = time.perf_counter() - start
found = program(tracefuse.from_numpy(numpy.load(images)))
numpy.save(scores, found.detach().numpy())
assert not any(name.startswith("tracefuse.api.cli") for name in sys.modules)
print(seconds)
"""


@dataclass
class Check:
    """One thing the demo promises: whether it held, and the numbers."""

    name: str
    ok: bool
    found: str


def run(options: argparse.Namespace) -> int:
    """Run the demo; 0 if every check passed, 1 if one failed, 2 for wrong usage."""
    try:
        folder = _folder(options.out)
    except OSError as error:
        print(f"error: cannot write to --out {options.out}: {error}", file=sys.stderr)
        return 2
    return Demo(options, folder).run()


def _folder(out: Path | None) -> Path:
    """The folder for what the demo makes, known to be writable before the work."""
    if out is None:
        return Path(tempfile.mkdtemp(prefix="tracefuse-demo-"))
    out.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out).close()
    return out.resolve()


class Demo:
    """The steps of the demo in their order, sharing what they found."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.folder = options, folder
        self.checks: list[Check] = []
        self.summary: dict[str, Any] = {}
        self.learn, self.held_out = digits.split(options.seed)

    def run(self) -> int:
        """Everything, from training to the verdict; the exit status."""
        start = time.perf_counter()
        self.say(
            f"tracefuse {__version__}: UCI optical digits, {len(self.learn)} images "
            f"to learn from, {len(self.held_out)} held out"
        )
        jitted, eager = self.train("jitted"), self.train("eager")
        self.compare_weights(jitted, eager)
        self.show_source(jitted)
        self.reload(jitted)
        self.compare_times(jitted, eager)
        self.summary["seconds"] = time.perf_counter() - start
        return self.verdict()

    def say(self, text: str = "") -> None:
        if not self.options.quiet:
            print(text, flush=True)

    def batch(self) -> tuple:
        """The first images and labels to learn from, as many as one step takes."""
        return self.learn[: self.options.batch_size]

    def check(self, name: str, ok: Any, found: str) -> None:
        self.checks.append(Check(name, bool(ok), found))

    def train(self, mode: str) -> digits.Run:
        """One training from the seed; the jitted one has to reach the accuracy."""
        options = self.options
        batches = -(-len(self.learn) // options.batch_size)
        with Progress(mode, options.epochs, batches, options.quiet) as progress:
            run = digits.train(
                *(self.learn, self.held_out),
                seed=options.seed,
                epochs=options.epochs,
                batch_size=options.batch_size,
                jitted=mode == "jitted",
                progress=progress,
            )
        if mode == "jitted":
            self.summary["accuracy"] = run.accuracy
            found = f"{run.accuracy:.1%} of held-out images, at least {ACCURACY:.0%}"
            self.check("accuracy", run.accuracy >= ACCURACY, found)
        return run

    def compare_weights(self, jitted: digits.Run, eager: digits.Run) -> None:
        """The two trainings end with the same weights, up to amplified rounding."""
        ours, theirs = jitted.model.state_dict(), eager.model.state_dict()
        differences = [_difference(ours[name], theirs[name]) for name in ours]
        largest = max(differences)
        self.summary["weights"] = {"difference": largest, "tolerance": WEIGHTS}
        found = f"largest relative difference {largest:.1e}, at most {WEIGHTS:.0e}"
        self.check("weights, jitted and eager", largest <= WEIGHTS, found)

    def show_source(self, jitted: digits.Run) -> None:
        """A piece of the generated code, and a file with all of it."""
        path = self.folder / "step.py"
        jitted.model.train()
        source = jitted.step.lower(*self.batch()).source
        path.write_text(source, encoding="utf-8")
        self.summary["source"] = str(path)
        lines = source.count("\n")
        self.say(f"\na kernel of the generated code, all {lines} lines in {path}:\n")
        self.say("\n".join(f"    {line}".rstrip() for line in _piece(source)))

    def reload(self, jitted: digits.Run) -> None:
        """Save the traced model; a process without its source says the same."""
        path = self.folder / "model.tracefuse"
        digits.trace(jitted.model, self.held_out).save(path)
        expected = digits.scores(jitted.model, self.held_out).numpy()
        images = self.held_out[:][0].numpy()
        try:
            got, seconds = _in_new_process(path, images)
        except subprocess.CalledProcessError as error:
            found = f"the new process ended with status {error.returncode}"
            return self.check("predictions, reloaded", False, found)
        same = float((got.argmax(1) == expected.argmax(1)).mean())
        difference = _difference(got, expected)
        self.summary["model"] = str(path)
        self.summary["reloaded"] = {
            "same_predictions": same,
            "difference": difference,
            "tolerance": SCORES,
            "load_ms": 1e3 * seconds,
        }
        self.say(
            f"\nsaved model: {path} ({path.stat().st_size / 1024:.0f} KiB), loaded in "
            f"{1e3 * seconds:.1f} ms by a new process that has none of its source\n"
        )
        found = f"{same:.1%} equal, largest relative difference {difference:.1e}"
        ok = same == 1 and difference <= SCORES
        self.check("predictions, reloaded", ok, found)

    def compare_times(self, jitted: digits.Run, eager: digits.Run) -> None:
        """The median step of each way; they take turns, so that both see one load."""
        batch = self.batch()
        seconds = digits.race([jitted, eager], batch)
        fast, slow = (1e3 * statistics.median(taken) for taken in seconds)
        first = 1e3 * jitted.first_call
        self.summary["step_ms"] = {"jitted": fast, "eager": slow, "first_call": first}
        self.say(
            f"a step of {len(batch[0])} images: {fast:.2f} ms jitted, {slow:.2f} ms "
            f"eager (medians of {len(seconds[0])}, in turns); the first jitted call, "
            f"which records and compiles: {first:.0f} ms\n"
        )

    def verdict(self) -> int:
        """Print each check, write summary.json, say whether all of it held."""
        for check in self.checks:
            if not (check.ok and self.options.quiet):
                print(f"{'ok' if check.ok else 'FAIL':6}{check.name}: {check.found}")
        ok = all(check.ok for check in self.checks)
        self.summary |= {
            "ok": ok,
            "checks": [asdict(check) for check in self.checks],
            "options": {k: getattr(self.options, k) for k in OPTIONS},
            "versions": _versions(),
        }
        text = json.dumps(self.summary, indent=2)
        (self.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        print(
            f"demo {'passed' if ok else 'FAILED'} in {self.summary['seconds']:.1f} s: "
            f"{self.folder / 'summary.json'}"
        )
        return 0 if ok else 1


OPTIONS = ("epochs", "batch_size", "seed")


def _difference(one: Any, other: Any) -> float:
    """The largest difference of two arrays, relative to the largest number."""
    one, other = np.asarray(one), np.asarray(other)
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-30))


def _piece(source: str, length: int = 24) -> list[str]:
    """The first function of the generated code: one kernel, as a rule."""
    functions = source.partition("\ndef ")[2].partition("\n\n\n")[0]
    lines = f"def {functions}".splitlines()
    return lines if len(lines) <= length else [*lines[:length], "..."]


def _in_new_process(model: Path, images: np.ndarray) -> tuple[np.ndarray, float]:
    """The scores a fresh interpreter computes with a saved model, and its loading."""
    place = Path(tempfile.mkdtemp())
    try:
        given, got = place / "images.npy", place / "scores.npy"
        np.save(given, images)
        command = [sys.executable, "-c", RELOAD, str(model), str(given), str(got)]
        done = subprocess.run(command, cwd=place, check=True, stdout=subprocess.PIPE)
        return np.load(got), float(done.stdout)
    finally:
        shutil.rmtree(place)


def _versions() -> dict[str, str]:
    return {
        "tracefuse": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }
