"""Which of the user's code ran, and what it called that nobody can watch.

`Listener` is a context for the length of a recording. It hears of every Python
function that starts (their names say which globals, cells and attributes the result
may depend on) and of calls into C. A C function that is not known to depend on its
arguments alone (`time.time`, `random.random`, `print`) makes the recording volatile.

From Python 3.12 `sys.monitoring` does this at 2 to 14 % of a recording's time; before,
the profile hook costs a factor of two to four, while recording only.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
import types
from typing import Any, Callable, Optional

from ..where import is_library, is_our_file
from .hearing import hearing
from .mutation import ALWAYS, CHANGES, IN_PLACE

__all__ = ["Listener", "is_foreign", "is_foreign_file"]

_STANDARD = (os.path.dirname(os.__file__), "<frozen", "<__array_function__")
_PURE_MODULES = frozenset(
    "builtins math cmath operator _operator functools _functools itertools "
    "collections _collections _collections_abc abc _abc enum re _sre copy "
    "dataclasses typing contextlib _struct numbers".split()
)
# Python code of the standard library that reads and changes nothing of the world.
_PURE_SOURCES = _PURE_MODULES | frozenset(
    "inspect weakref _weakrefset warnings types copyreg importlib sre_compile "
    "sre_parse sre_constants json string textwrap fractions decimal _pydecimal heapq "
    "bisect keyword reprlib base64 hashlib ast colorsys struct posixpath ntpath "
    "linecache token tokenize codecs encodings _py_abc annotationlib".split()
)
# Pure themselves; what they call for the user counts as called by the user.
_THROUGH = frozenset("_collections_abc collections functools contextlib".split())
_C_FUNCTIONS = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)
_CHANGING = ALWAYS | CHANGES | IN_PLACE
_IMPURE = frozenset("print input open eval exec breakpoint globals locals vars".split())


def is_foreign(code: types.CodeType) -> bool:
    """Whether the code is nobody's who records: ours, the library's, NumPy's."""
    return is_foreign_file(code.co_filename)


def is_foreign_file(name: str) -> bool:
    """The same of all code in a file."""
    return is_our_file(name) or _of_others(name)


@functools.lru_cache(maxsize=4096)
def _of_others(name: str) -> bool:
    if "site-packages" in name:
        return "/numpy/" in name or "/torch/" in name
    return name.startswith(_STANDARD)


def _source(code: types.CodeType) -> Optional[str]:
    """The module of the standard library that the code is of, else None."""
    return _source_of(code.co_filename)


@functools.lru_cache(maxsize=4096)
def _source_of(name: str) -> Optional[str]:
    if name.startswith("<frozen "):
        return name[8:-1].partition(".")[0]
    if "site-packages" in name or not name.startswith(_STANDARD[0] + os.sep):
        return None
    inside = name[len(_STANDARD[0]) + 1 :]
    return inside.partition(os.sep)[0].removesuffix(".py")


def reads_the_world(code: types.CodeType) -> bool:
    """Whether it is of a module that knows of files, clocks, processes or chance."""
    source = _source(code)
    return source is not None and source not in _PURE_SOURCES


def _for_the_user(frame: Optional[types.FrameType]) -> bool:
    """Whether it is the user's code that has called into the standard library."""
    while frame is not None:
        source = _source(frame.f_code)
        if source is None:
            return not is_foreign(frame.f_code)
        if source in _PURE_SOURCES and source not in _THROUGH:
            return False
        frame = frame.f_back
    return False


def _opaque(function: Any) -> Optional[str]:
    """The name of a C function whose result may depend on more than arguments."""
    if not isinstance(function, _C_FUNCTIONS):
        return _cython(function)
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


def _cython(function: Any) -> Optional[str]:
    if type(function).__name__ != "cython_function_or_method":
        return None
    home = str(getattr(function, "__module__", None))
    return f"{home}.{function.__name__}" if "random" in home else None


def _method_of(owner: Any, name: str) -> Optional[str]:
    kind = owner if isinstance(owner, type) else type(owner)
    home = kind.__module__
    if home in _PURE_MODULES or home.partition(".")[0] in ("numpy", "tracefuse"):
        return f"{home}.{name}" if "random" in home else None
    return f"{kind.__name__}.{name}" if home != "__main__" else None


class Listener:
    """Collects `codes` (user code that ran) and `opaque` (why it cannot be kept)."""

    def __init__(self) -> None:
        self.codes: set[types.CodeType] = set()
        self.opaque: Optional[str] = None
        self._late: set[Any] = set()  # codes, and names of methods that change things
        self._renew: Callable[[], None] = lambda: None
        self._on = self._collects = False
        self._switch: Callable[[bool], None] = lambda on: None
        self._release: Callable[[], None] = lambda: None

    def __enter__(self) -> "Listener":
        monitoring = getattr(sys, "monitoring", None)
        tools = (monitoring and _monitor(self, monitoring)) or _profile(self)
        self._switch, self._release, self._renew = tools
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

    def lately(self) -> set:
        """The code that ran, and the methods of containers that changed them, since
        this was asked last."""
        found, self._late = self._late, set()
        self._renew()
        return found

    def rest(self, on: bool) -> None:
        """Hear nothing for a while: what runs is known."""
        if self._on is on:
            self._hear(not on)

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

    def started(self, frame: types.FrameType) -> None:
        """A Python function began to run, in that frame."""
        code = frame.f_code
        if not is_foreign(code):
            self.codes.add(code)
            self._late.add(code)
        elif self.opaque is None and reads_the_world(code):
            if _for_the_user(frame.f_back):
                self._because(f"{_source(code)}.{code.co_name}")

    def stop(self) -> None:
        """Nothing that is still to come is of interest."""
        if self._on:
            self._switch(False)
        self._switch = lambda on: None

    def _because(self, name: str) -> None:
        self.opaque = f"it calls {name}, which may answer differently each time"

    def called(self, code: types.CodeType, function: Any) -> None:
        """Code called a C function."""
        if self.opaque is None and not is_foreign(code):
            name = _opaque(function)
            if name is not None:
                self._because(name)
            if getattr(function, "__name__", "") in _CHANGING:
                self._late.add(function.__name__)


# Files of ours: what runs there and what it calls is of no interest.
_quiet: set[str] = set()

Tools = tuple[Callable[[bool], None], Callable[[], None], Callable[[], None]]


def _profile(listener: Listener) -> Tools:
    before = sys.getprofile()

    def hook(frame: types.FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if code.co_filename in _quiet:  # most of what is heard
            return
        if event == "call":
            listener.started(frame)
            if is_library(code):
                _quiet.add(code.co_filename)
        elif event == "c_call":
            listener.called(code, arg)

    def switch(on: bool) -> None:
        enable = getattr(before, "enable", None)  # cProfile is no function
        hearing.on, hearing.hook = on, hook if on else None
        sys.setprofile(hook if on else None if enable else before)
        if enable and not on:
            enable()

    return switch, lambda: None, lambda: None


def _monitor(listener: Listener, monitoring: Any) -> Optional[Tools]:
    tool = next((i for i in (4, 3) if monitoring.get_tool(i) is None), None)
    if tool is None:
        return None
    events, own = monitoring.events, threading.get_ident()
    users: dict[types.CodeType, None] = {}  # whose calls are heard, and of no other

    def started(code: types.CodeType, offset: int) -> Any:
        if code.co_filename in _quiet:
            return monitoring.DISABLE
        if threading.get_ident() != own:  # what others do is their affair
            return None
        listener.started(sys._getframe(1))
        if not is_foreign(code):
            users[code] = monitoring.set_local_events(tool, code, events.CALL)
        elif is_library(code):
            _quiet.add(code.co_filename)
        return None if reads_the_world(code) else monitoring.DISABLE

    def called(code: types.CodeType, offset: int, function: Any, arg: Any) -> None:
        if threading.get_ident() == own:
            listener.called(code, function)

    def switch(on: bool) -> None:
        monitoring.set_events(tool, starts if on else 0)
        for code in users:
            monitoring.set_local_events(tool, code, events.CALL if on else 0)

    monitoring.use_tool_id(tool, "tracefuse")
    monitoring.register_callback(tool, events.PY_START, started)
    monitoring.register_callback(tool, events.PY_RESUME, started)
    monitoring.register_callback(tool, events.CALL, called)
    monitoring.restart_events()
    starts = events.PY_START | events.PY_RESUME
    return switch, lambda: monitoring.free_tool_id(tool), monitoring.restart_events
