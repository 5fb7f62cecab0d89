"""The wheel holds what it should, imports anywhere, and the face says it all."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest
from layout import FACE, FILES, MODULES, ROOT, is_face, module_of, name_of

SHIPPED = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
FOLDERS = ("tracer", "autodiff", "kernels", "api")
FACES = [p for p in FILES if is_face(p) and p.stem != "__main__"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built offline from a copy: no old build folder can slip in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=skip)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out)]
    command = [sys.executable, "-m", "pip", "wheel", *options, str(source)]
    subprocess.run(command, check=True)
    return next(out.iterdir())


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run_with(unpacked: Path, code: str) -> str:
    """What a new process prints that sees the wheel before anything installed."""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        command, env=environment, cwd=unpacked, check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode()


def test_the_wheel_is_small_and_for_every_platform(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 5_000_000


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    assert {name.split("/")[0] for name in names} == {"tracefuse", info}
    assert {"tracefuse/py.typed", "tracefuse/api/data/digits.npz"} <= set(names)
    licences = {Path(name).name for name in names if name.startswith(info)}
    assert {"LICENSE", "DIGITS.txt"} <= licences
    modules = {name for name in names if name.endswith(".py")}
    assert len(modules) == len(FILES)


def test_every_module_imports_from_the_wheel(unpacked):
    code = f"""
import importlib
for name in {MODULES}:
    print(importlib.import_module(name).__file__)
"""
    files = run_with(unpacked, code).split("\n")[:-1]
    assert len(files) == len(MODULES)
    assert all(Path(file).is_relative_to(unpacked) for file in files)


def test_importing_is_light(unpacked):
    code = """
import sys, tracefuse
heavy = "triton torch jax tqdm safetensors cuda ml_dtypes json".split()
ours = "kernels.numpy.compile api.jit api.files api.program api.nn.module".split()
heavy += [f"tracefuse.{name}" for name in ours]
print([name for name in heavy if name in sys.modules])
"""
    assert run_with(unpacked, code).strip() == "[]"


def test_the_version_is_said_once(unpacked, wheel):
    version = run_with(unpacked, "import tracefuse; print(tracefuse.__version__)")
    assert wheel.name.split("-")[1] == version.strip()


def exported(path: Path) -> set[str]:
    """The names that the import lines of a face promise."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module != "tracefuse":
            for alias in node.names:
                module = importlib.import_module(str(node.module))
                star = alias.name == "*"
                names |= set(module.__all__ if star else [alias.asname or alias.name])
    return names


@pytest.mark.parametrize("path", FACES, ids=map(name_of, FACES))
def test_a_face_exports_exactly_what_its_modules_offer(path):
    face = importlib.import_module(module_of(path))
    below = {name for name, value in vars(face).items() if is_below(face, name, value)}
    public = {name for name in vars(face) if not name.startswith("_")}
    promised = exported(path)
    assert public - below == {n for n in promised if not n.startswith("_")} - below
    assert promised <= vars(face).keys()


def test_what_is_imported_late_is_what_type_checkers_are_told():
    face = importlib.import_module("tracefuse")
    tree = ast.parse((FACE / "__init__.py").read_text(encoding="utf-8"))
    told = next(n for n in tree.body if isinstance(n, ast.If)).body
    names: set[str] = set()
    for node in (n for n in told if isinstance(n, ast.ImportFrom)):
        module = importlib.import_module(str(node.module))
        for alias in node.names:
            offered = module.__all__ if alias.name == "*" else [alias.name]
            given = {alias.asname or n: getattr(module, n) for n in offered}
            assert all(getattr(face, n) is value for n, value in given.items())
            names |= given.keys()
    assert names <= set(dir(face))
    scope: dict = {}
    exec("from tracefuse import *", scope)
    assert {n for n in dir(face) if n[0] != "_"} <= scope.keys()
    with pytest.raises(AttributeError, match="no attribute 'savee'"):
        getattr(face, "savee")  # noqa: B009


def is_below(face: types.ModuleType, name: str, value: object) -> bool:
    module = isinstance(value, types.ModuleType)
    return module and value.__name__ == f"{face.__name__}.{name}"


def test_every_folder_of_the_face_is_a_package():
    folders = {p for p in FACE.rglob("*") if p.is_dir() and p.name != "__pycache__"}
    assert all((folder / "__init__.py").is_file() for folder in folders)
