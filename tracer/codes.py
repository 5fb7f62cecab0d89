"""Which of the user's code ran, and what it called that nobody can watch.

`Listener` is a context for the length of a recording. It hears of every Python
function that starts (their names say which globals, cells and attributes the result
may depend on) and of calls into C. A C function that is not known to depend on its
arguments alone (`time.time`, `random.random`, `print`) makes the recording volatile.

From Python 3.12 `sys.monitoring` does this at 2 to 14 % of a recording's time; before,
the profile hook costs a factor of two to four, while recording only.
"""

from __future__ import annotations

import gc
import os
import sys
import types
from typing import Any, Callable, Optional

from .where import is_library

__all__ = ["Listener", "is_foreign"]

_STANDARD = (os.path.dirname(os.__file__), "<frozen", "<__array_function__")
_PURE_MODULES = frozenset(
    "builtins math cmath operator _operator functools _functools itertools "
    "collections _collections _collections_abc abc _abc enum re _sre copy "
    "dataclasses typing contextlib _struct numbers".split()
)
_C_FUNCTIONS = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)
_IMPURE = frozenset("print input open eval exec breakpoint globals locals vars".split())


def is_foreign(code: types.CodeType) -> bool:
    """Whether the code is nobody's who records: ours, the library's, NumPy's."""
    name = code.co_filename
    if is_library(code) or name.startswith("<frozen"):
        return True
    if "site-packages" in name:
        return "/numpy/" in name or "/torch/" in name
    return name.startswith(_STANDARD)


def _opaque(function: Any) -> Optional[str]:
    """The name of a C function whose result may depend on more than arguments."""
    if not isinstance(function, _C_FUNCTIONS):
        return None
    module = getattr(function, "__module__", None)
    name = getattr(function, "__name__", "?")
    owner = getattr(function, "__self__", None)
    if module is None and owner is not None and not isinstance(owner, types.ModuleType):
        return _method_of(owner, name)
    if module is None or module.partition(".")[0] == "numpy":
        return f"numpy.{name}" if "random" in (module or "") else None
    if module in _PURE_MODULES:
        return name if module == "builtins" and name in _IMPURE else None
    return f"{module}.{name}"


def _method_of(owner: Any, name: str) -> Optional[str]:
    home = type(owner).__module__
    if home in _PURE_MODULES or home.partition(".")[0] in ("numpy", "tracefuse"):
        return f"{home}.{name}" if "random" in home else None
    return f"{type(owner).__name__}.{name}" if home != "__main__" else None


class Listener:
    """Collects `codes` (user code that ran) and `opaque` (why it cannot be kept)."""

    def __init__(self) -> None:
        self.codes: set[types.CodeType] = set()
        self.opaque: Optional[str] = None
        self._on = self._collects = False
        self._switch: Callable[[bool], None] = lambda on: None
        self._release: Callable[[], None] = lambda: None

    def __enter__(self) -> "Listener":
        monitoring = getattr(sys, "monitoring", None)
        tools = (monitoring and _monitor(self, monitoring)) or _profile(self)
        self._switch, self._release = tools
        self._hear(True)
        return self

    def __exit__(self, *exc: Any) -> None:
        self._hear(False)
        self._release()

    def _hear(self, on: bool) -> None:
        # A collection would run other people's code in the middle of the user's.
        if on:
            self._collects = gc.isenabled()
            gc.disable()
        self._switch(on)
        self._on = on
        if not on and self._collects:
            gc.enable()

    def deaf_to(self, function: Callable) -> Callable:
        """`function`, not listened to: what the library does for itself."""

        def call(*args: Any) -> Any:
            if not self._on:
                return function(*args)
            self._hear(False)
            try:
                return function(*args)
            finally:
                self._hear(True)

        return call

    def started(self, code: types.CodeType) -> None:
        """A Python function of that code began to run."""
        if not is_foreign(code):
            self.codes.add(code)

    def called(self, code: types.CodeType, function: Any) -> None:
        """Code called a C function."""
        if self.opaque is None and not is_foreign(code):
            name = _opaque(function)
            if name is not None:
                self.opaque = f"it calls {name}, which may answer differently each time"


Tools = tuple[Callable[[bool], None], Callable[[], None]]


def _profile(listener: Listener) -> Tools:
    before = sys.getprofile()

    def hook(frame: types.FrameType, event: str, arg: Any) -> None:
        if event == "call":
            listener.started(frame.f_code)
        elif event == "c_call":
            listener.called(frame.f_code, arg)

    return lambda on: sys.setprofile(hook if on else before), lambda: None


def _monitor(listener: Listener, monitoring: Any) -> Optional[Tools]:
    tool = next((i for i in (4, 3) if monitoring.get_tool(i) is None), None)
    if tool is None:
        return None
    events = monitoring.events

    def started(code: types.CodeType, offset: int) -> Any:
        listener.started(code)
        return monitoring.DISABLE

    def called(code: types.CodeType, offset: int, function: Any, arg: Any) -> Any:
        listener.called(code, function)
        return monitoring.DISABLE if is_foreign(code) else None

    monitoring.use_tool_id(tool, "tracefuse")
    monitoring.register_callback(tool, events.PY_START, started)
    monitoring.register_callback(tool, events.CALL, called)
    monitoring.restart_events()
    heard = events.PY_START | events.CALL
    return (
        lambda on: monitoring.set_events(tool, heard if on else 0),
        lambda: monitoring.free_tool_id(tool),
    )
