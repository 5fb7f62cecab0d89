"""`tracefuse.backends`: the switches that PyTorch programs set.

>>> cuda.matmul.allow_tf32
False
"""

from __future__ import annotations

from ..kernels.settings import settings

__all__ = ["cuda", "cudnn", "mps"]


class _Matmul:
    """`allow_tf32` is the precision of float32 products as a bool."""

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 products on a GPU may round their operands to TF32."""
        return settings.precision != "ieee"

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        settings.precision = "tf32" if allowed else "ieee"


class _Cuda:
    matmul = _Matmul()


class _Cudnn:
    """There is no cuDNN here: programs may set these, and nothing changes.

    Sums by atomic additions (index_add, scatter_add) are the one thing whose order
    varies on a GPU, whatever `deterministic` says.
    """

    enabled, benchmark, deterministic, allow_tf32 = True, False, False, True

    def is_available(self) -> bool:
        """False."""
        return False


class _Mps:
    def is_available(self) -> bool:
        """False: there is no backend for Apple's GPUs."""
        return False

    def is_built(self) -> bool:
        """False."""
        return False


cuda, cudnn, mps = _Cuda(), _Cudnn(), _Mps()
