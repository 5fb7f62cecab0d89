"""Figures on the memory of GPUs, in bytes, by PyTorch's names."""

from __future__ import annotations

from typing import Any

from ...kernels.gpu.memory import described
from ..cuda import found
from ..place import discover

__all__ = ["memory_allocated", "memory_reserved", "max_memory_allocated"]
__all__ += ["max_memory_reserved", "reset_peak_memory_stats", "memory_stats"]
__all__ += ["memory_summary", "mem_get_info", "empty_cache"]
__all__ += ["reset_max_memory_allocated"]


def settled(device: Any) -> Any:
    """The GPU that is meant, once all that was asked for has its memory."""
    there = found(device)
    there.flush()
    return there


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors hold."""
    return settled(device).pool.statistics().allocated


def memory_reserved(device: Any = None) -> int:
    """Bytes taken from the driver: what tensors hold, and what is kept for later."""
    return settled(device).pool.statistics().reserved


def max_memory_allocated(device: Any = None) -> int:
    """The most that tensors held since the peak was last reset."""
    return settled(device).pool.statistics().max_allocated


def max_memory_reserved(device: Any = None) -> int:
    """The most that was taken from the driver since the peak was last reset."""
    return settled(device).pool.statistics().max_reserved


def reset_peak_memory_stats(device: Any = None) -> None:
    """Both peaks begin anew, at what is held now."""
    settled(device).pool.reset_peak()


reset_max_memory_allocated = reset_peak_memory_stats


def memory_stats(device: Any = None) -> dict[str, int]:
    """The figures by PyTorch's keys ("allocated_bytes.all.peak", ...)."""
    s = settled(device).pool.statistics()
    return {
        "allocated_bytes.all.current": s.allocated,
        "allocated_bytes.all.peak": s.max_allocated,
        "reserved_bytes.all.current": s.reserved,
        "reserved_bytes.all.peak": s.max_reserved,
        "allocation.all.allocated": s.allocations,
        "segment.all.allocated": s.segments,
    }


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """The figures for people, and the largest blocks in use."""
    there = settled(device)
    s, held = there.pool.statistics(), there.pool.held()
    lines = [
        f"{there.label} ({there.name})",
        f"  held by tensors    {s.allocated:>15,} bytes (at most {s.max_allocated:,})",
        f"  taken from driver  {s.reserved:>15,} bytes (at most {s.max_reserved:,})",
        f"  allocations        {s.allocations:>15,}",
    ]
    if not abbreviated:
        lines += [f"  {b.size:>15,} bytes: {described(b.label)}" for b in held[:10]]
    return "\n".join(lines)


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes that are free and bytes in all, all processes together."""
    return settled(device).free_memory()


def empty_cache() -> None:
    """Give back to the drivers what no tensor holds."""
    for there in discover.devices():
        if there.unusable is None:
            there.flush()
            there.pool.empty_cache()
