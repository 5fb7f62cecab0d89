"""Settings of generated GPU code, for the process."""

from __future__ import annotations

__all__ = ["Settings", "settings"]


class Settings:
    """What is compiled from here on.

    `precision` is that of float32 products: "ieee", "tf32" or "tf32x3". `timing` lets
    configurations be timed at their first launch (None: on a real GPU). `strict` makes
    a kernel that does not compile an error, instead of the same work on the host.
    `pieces` lets eager pointwise operations wait for one another (gpu/pending.py).
    """

    precision = "ieee"
    timing: bool | None = None
    strict = False
    pieces = True


settings = Settings()
