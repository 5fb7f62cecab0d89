"""`checkpoint` as PyTorch calls it: parts of a model that are computed twice."""

from __future__ import annotations

from typing import Any, Callable, Optional

from .remat import remat

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: Optional[bool] = None,
    preserve_rng_state: bool = True,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, computed again in the backward.

    Nothing that it computes on the way is kept. Random draws come out the same the
    second time. The options are PyTorch's; they are taken and change nothing, since
    the function itself runs once.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, requires_grad=True)
    >>> checkpoint(lambda x: x.exp().log(), x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    return remat(function)(*args, **kwargs)


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: Optional[bool] = None,
    **kwargs: Any,
) -> Any:
    """A chain of functions (a Sequential or a list) in checkpointed segments.

    All segments but the last are computed again in the backward. ValueError when there
    are more segments than functions, or none.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, requires_grad=True)
    >>> checkpoint_sequential([lambda x: x * 2, lambda x: x * x], 2, x)
    tensor([4., 4.], grad_fn=<MulBackward0>)
    """
    chain = list(functions)
    if not 1 <= segments <= len(chain):
        raise ValueError(f"{segments} segments of {len(chain)} functions")
    size = len(chain) // segments
    for first in range(0, size * (segments - 1), size):
        input = checkpoint(_chained(chain[first : first + size]), input, **kwargs)
    return _chained(chain[size * (segments - 1) :])(input)


def _chained(functions: list) -> Callable:
    def run_segment(x: Any) -> Any:
        for f in functions:
            x = f(x)
        return x

    return run_segment
