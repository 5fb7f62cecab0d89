"""Everything that is measured on a GPU, in one command.

    python -m benchmarks.gpu --out FILE.json [--budget SECONDS] [--resume] [--only WORD]

First each result is compared with a float64 reference, then what is right is timed, by
events and as a CUDA graph, beside PyTorch (eager, torch.compile, cuBLAS) and JAX where
they are installed. FILE is complete after every case; `--resume` leaves out what is
there. `python -m benchmarks.report FILE.json` shows it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any, Sequence

from tracefuse.kernels.gpu.discover import get_device, why_none

from .clock import TooLong, at_most
from .facts import clocks, head
from .jobs import Job, jobs, tiny
from .measure import Setting
from .ours import Ours, simulate
from .peer_jax import Jax, jax_with_gpu
from .peer_torch import Torch, torch_with_gpu
from .record import Record

__all__ = ["main"]

BUDGET = 450.0  # seconds: the whole run stays under eight minutes
LEAST = 5.0  # seconds that a case needs
PEERS = ("torch", "jax")
TIMING = 1.5  # seconds for the timing of one case


def setting_of(simulated: bool, wanted: Sequence[str]) -> Setting:
    """The device, and who of these is there to compare with."""
    device = simulate() if simulated else get_device(0)
    ours = [Ours(device, timing) for timing in (True, False)]
    if simulated:
        return Setting(ours, [], None, 0.0)
    torch = torch_with_gpu() if "torch" in wanted else None
    jax = jax_with_gpu() if "jax" in wanted else None
    peers: list[Any] = [Torch(torch)] if torch else []
    return Setting(ours, peers + ([Jax(jax)] if jax else []), torch, TIMING)


def run(wanted: Sequence[Job], setting: Setting, record: Record, end: float) -> None:
    """One after the other, until the time is over."""
    for n, job in enumerate(wanted):
        left = end - time.monotonic()
        if left < (0 if setting.simulated else LEAST):
            record.leave([each.name for each in wanted[n:]])
            say(f"no time for {len(wanted) - n} cases: --resume goes on with them")
            return
        if attempt(job, setting, record, left):
            record.leave([each.name for each in wanted[n:]])
            return
        if broken(setting):
            record.leave([each.name for each in wanted[n + 1 :]])
            again(end - time.monotonic())
    record.leave([])


def broken(setting: Setting) -> bool:
    """Whether the device refuses all further work of this process."""
    try:
        setting.ours[0].wait()
        return False
    except Exception as error:
        say(f"the device is lost to this process: {error}")
        return True


def again(left: float) -> None:
    """Go on with what is left, in a fresh process."""
    options = ["--resume", "--budget", f"{left:.0f}"]
    command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], *options]
    os.execv(sys.executable, command)


def attempt(job: Job, setting: Setting, record: Record, left: float) -> bool:
    """Whether the time was over before it was done; nothing is written then."""
    begin = time.monotonic()
    try:
        with at_most(left):
            found = job.run(setting)
    except TooLong:
        say(f"no time for the rest, from {job.name} on: --resume goes on with it")
        return True
    except Exception as error:
        found = {"problem": f"{type(error).__name__}: {error}"[:1000]}
    seconds = round(time.monotonic() - begin, 2)
    more = {} if setting.simulated else {"clocks": clocks()}
    record.add(job.name, {**found, "seconds": seconds, **more})
    say(f"{seconds:6.1f} s  {job.name}{told(found)}")
    return False


def told(found: dict[str, Any]) -> str:
    """A case in half a line."""
    if "problem" in found:
        return f": {found['problem']}"
    parts = []
    for name, way in found.get("ways", {}).items():
        best = way.get("graph") or way.get("events") or way.get("host")
        if best:
            parts.append(f"{name} {best['median_us']:.1f}")
        elif "problem" in way:
            parts.append(f"{name}: {way['problem'][:60]}")
    return f"  [us: {', '.join(parts)}]" if parts else ""


def say(text: str) -> None:
    """At once, also into a pipe."""
    print(text, flush=True)


def main(arguments: Any = None) -> int:
    """The command."""
    begin = time.monotonic()
    options = parser().parse_args(arguments)
    wanted = tiny() if options.simulate else jobs()
    wanted = [job for job in wanted if options.only in job.name]
    if options.list:
        say("\n".join(job.name for job in wanted))
        return 0
    if not options.simulate and why_none():
        say(f"there is no GPU to measure: {why_none()}")
        return 2
    record = Record(options.out, options.resume)
    setting = setting_of(options.simulate, options.peers)
    record.begin(head(setting))
    wanted = [job for job in wanted if not record.has(job.name)]
    run(wanted, setting, record, begin + options.budget)
    return 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--out", type=Path, default=Path("gpu.json"), metavar="FILE")
    made.add_argument("--budget", type=float, default=BUDGET, metavar="SECONDS")
    made.add_argument("--only", default="", metavar="WORD", help="in the case's name")
    made.add_argument("--resume", action="store_true", help="skip what FILE has")
    made.add_argument("--list", action="store_true", help="names of cases, and end")
    made.add_argument(
        "--peers", nargs="*", default=PEERS, choices=PEERS, help="to compare with"
    )
    made.add_argument(
        "--simulate", action="store_true", help="tiny sizes in the interpreter, no GPU"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
