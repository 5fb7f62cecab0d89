"""Rows of the table that do not come out right yet, and why: each of them must fail.

There is none. One that is found goes here, by its name, under the way it is run.
"""

from __future__ import annotations

KNOWN: dict[str, dict[str, str]] = {"jitted": {}, "grad": {}, "saved": {}}
