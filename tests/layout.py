"""Where things stand in the checkout, for the tests that look at the house itself."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = {"tracer": 1, "autodiff": 2, "kernels": 2, "api": 3}
FACE = ROOT / "api" / "tracefuse"
FILES = sorted(p for floor in FLOORS for p in (ROOT / floor).rglob("*.py"))


def is_face(path: Path) -> bool:
    """Whether a file or folder belongs to the public face."""
    return FACE in (path, *path.parents)


def package_of(folder: Path) -> str:
    """The package that a folder of the checkout becomes when installed."""
    base = FACE if is_face(folder) else ROOT
    return ".".join(["tracefuse", *folder.relative_to(base).parts])


def module_of(path: Path) -> str:
    """The module that a file of the checkout becomes when installed."""
    package = package_of(path.parent)
    return package if path.stem == "__init__" else f"{package}.{path.stem}"


def name_of(path: Path) -> str:
    """A file's path as a message shows it."""
    return path.relative_to(ROOT).as_posix()


MODULES = [module_of(p) for p in FILES if p.stem != "__main__"]
