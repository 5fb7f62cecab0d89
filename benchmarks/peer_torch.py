"""PyTorch: eager (for products that is cuBLAS), and torch.compile in its modes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Iterator, Optional

from .accuracy import results, sample
from .corpus import Case
from .ours import SCRUB, Entrant

__all__ = ["Torch", "torch_with_gpu"]

WARM = 3  # calls before a capture


def torch_with_gpu() -> Any:
    """PyTorch, if it is installed and sees a GPU; else None."""
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


class Torch:
    """PyTorch on the first GPU."""

    def __init__(self, torch: Any):
        self.torch = torch
        self.scrub = torch.empty(SCRUB, dtype=torch.uint8, device="cuda")

    def event(self) -> Any:
        """With timing."""
        return self.torch.cuda.Event(enable_timing=True)

    def flush(self) -> None:
        """Overwrite the cache."""
        self.scrub.zero_()

    def wait(self) -> None:
        """For everything."""
        self.torch.cuda.synchronize()

    def facts(self) -> dict[str, Any]:
        """Versions, for the head of the record."""
        torch = self.torch
        cudnn = torch.backends.cudnn.version()
        return {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": cudnn}

    def entrants(self, case: Case, autotune: bool) -> Iterator[Entrant]:
        """Eager and compiled; `autotune` adds the mode that searches longest."""
        yield self.entrant(case, "torch eager", lambda f: f)
        yield self.entrant(case, "torch.compile", self.compiled("default"))
        if autotune:
            mode = "max-autotune" if case.training else "max-autotune-no-cudagraphs"
            yield self.entrant(case, f"torch.compile {mode}", self.compiled(mode))
        if autotune and case.training:
            mode = "max-autotune-no-cudagraphs"
            name = f"torch.compile {mode}, step captured"
            yield self.entrant(case, name, self.compiled(mode), whole=True)

    def compiled(self, mode: str) -> Callable:
        """What wraps a function; sizes are known, as they are for ours."""
        compile = self.torch.compile
        return lambda f: compile(f, mode=mode, dynamic=False)

    def entrant(
        self, case: Case, name: str, wrap: Callable, whole: bool = False
    ) -> Entrant:
        """One way; nothing is compiled before the answer is asked for."""
        torch = self.torch
        self.choose(case.tf32)
        f = case.composed(torch, wrap, rival=True, device="cuda")
        args = self.arguments(case)

        def call() -> Any:
            return f(*args)

        def answer() -> list:
            self.choose(case.tf32)
            found = results(case, call, getattr(f, "numbers", None))
            return [sample(t.detach()).double().cpu().numpy() for t in found]

        def graph() -> Optional[Callable]:
            own = case.training and not whole
            return None if own else self.captured(call)

        return Entrant(name, self, call, answer, graph, {})

    def arguments(self, case: Case) -> tuple:
        """The case's, rounded to their type where that is quick."""
        wide = [t.cuda() for t in case.tensors(self.torch, "float32")]
        pairs = zip(wide, case.inputs)
        return tuple(
            t if x.classes else t.to(getattr(self.torch, x.dtype)) for t, x in pairs
        )

    def choose(self, tf32: bool) -> None:
        """The same precision of float32 products as ours."""
        self.torch.set_float32_matmul_precision("high" if tf32 else "highest")
        self.torch.backends.cudnn.allow_tf32 = tf32

    def captured(self, call: Callable) -> Callable:
        """What replays a call: as PyTorch's page on CUDA graphs does it."""
        torch = self.torch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="relaxed"):
            held = call()

        def replay() -> Any:
            graph.replay()
            return held

        return replay

    def peak(self, call: Callable) -> int:
        """Bytes that a call takes at most, beside what is there already."""
        cuda = self.torch.cuda
        self.wait()
        before = cuda.memory_allocated()
        cuda.reset_peak_memory_stats()
        call()
        self.wait()
        return cuda.max_memory_allocated() - before

    def done(self) -> None:
        """Forget compiled functions: shapes would count as recompilations."""
        self.wait()
        with suppress(AttributeError):
            self.torch._dynamo.reset()
        self.torch.cuda.empty_cache()
