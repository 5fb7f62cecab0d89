"""The house stands as CONTRIBUTING.md says: floors, imports, sizes of files."""

from __future__ import annotations

import ast
import configparser
from pathlib import Path

import pytest
from layout import FILES, FLOORS, ROOT, is_face, name_of, package_of

# The user's program that the demo runs: the one file that stands for the outside.
USERS = {ROOT / "api" / "cli" / "digits.py"}
INSIDE = [p for p in FILES if not is_face(p) and p not in USERS]
# What a face holds besides imports: submodules that are imported late, a module that
# is also a function, and the command line's entry.
MACHINERY = ("__getattr__", "_face", "if _typing.TYPE_CHECKING", "if __name__ ==")
BESIDE = ("tests", "examples", "benchmarks")
SOURCES = FILES + sorted(p for d in BESIDE for p in (ROOT / d).rglob("*.py"))


def each_file(files):
    return pytest.mark.parametrize("path", files, ids=map(name_of, files))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def targets(path: Path, node: ast.ImportFrom) -> list[Path]:
    """The files or folders that a relative import names, as it stands on disk."""
    folder = path.parents[node.level - 1]
    if node.module:
        folder = folder.joinpath(*node.module.split("."))
    below = [folder / alias.name for alias in node.names]
    return [p for p in below if on_disk(p)] or [folder]


def on_disk(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def relative_imports(path: Path) -> list[tuple[ast.ImportFrom, Path]]:
    nodes = [n for n in ast.walk(parse(path)) if isinstance(n, ast.ImportFrom)]
    return [(n, target) for n in nodes if n.level for target in targets(path, n)]


@each_file(INSIDE)
def test_relative_imports_are_true_on_disk(path):
    for node, target in relative_imports(path):
        assert on_disk(target), f"{name_of(path)}:{node.lineno}: no {target}"


@each_file(INSIDE)
def test_imports_point_downwards(path):
    own = path.relative_to(ROOT).parts[0]
    for node, target in relative_imports(path):
        other = target.relative_to(ROOT).parts[0]
        down = other == own or FLOORS[other] < FLOORS[own]
        assert down, f"{name_of(path)}:{node.lineno}: {own} imports {other}"


@each_file(INSIDE)
def test_what_is_imported_late_is_there_and_below(path):
    own = path.relative_to(ROOT).parts[0]
    for name in late_imports(path):
        rest = name.lstrip(".")
        target = path.parents[len(name) - len(rest) - 1].joinpath(*rest.split("."))
        assert on_disk(target), f"{name_of(path)}: no {target}"
        other = target.relative_to(ROOT).parts[0]
        assert other == own or FLOORS[other] < FLOORS[own], f"{own} imports {other}"


def late_imports(path: Path) -> list[str]:
    """The relative names in `Later("..name", __package__)`."""
    calls = [n for n in ast.walk(parse(path)) if isinstance(n, ast.Call)]
    late = [n for n in calls if ast.unparse(n.func) == "Later" and len(n.args) == 2]
    return [ast.literal_eval(n.args[0]) for n in late]


@each_file(INSIDE)
def test_no_absolute_import_of_tracefuse(path):
    for node in ast.walk(parse(path)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        ours = [name for name in names if name.split(".")[0] == "tracefuse"]
        assert not ours, f"{name_of(path)}:{node.lineno}: write a relative import"


@each_file(INSIDE)
def test_no_import_of_ours_inside_a_function(path):
    for function in ast.walk(parse(path)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                ours = isinstance(node, ast.ImportFrom) and node.level
                assert not ours, f"{name_of(path)}:{node.lineno}: hides a circle?"


def test_no_import_circles():
    edges = {p: set(module_edges(p)) for p in INSIDE}
    done: set[Path] = set()
    for start in edges:
        circle = find_circle(start, edges, done, [])
        assert not circle, " -> ".join(map(name_of, circle))


def module_edges(path: Path):
    """What importing this file imports; what only type checkers read is no edge."""
    skipped = {
        node.lineno
        for block in ast.walk(parse(path))
        if type_checking(block)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
    }
    for node, target in relative_imports(path):
        file = target.with_suffix(".py")
        if node.lineno not in skipped and file.is_file() and file != path:
            yield file


def type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def find_circle(path: Path, edges: dict, done: set, above: list) -> list:
    if path in above:
        return [*above[above.index(path) :], path]
    if path in done:
        return []
    for other in sorted(edges.get(path, ())):
        circle = find_circle(other, edges, done, [*above, path])
        if circle:
            return circle
    done.add(path)
    return []


@each_file([p for p in FILES if is_face(p)])
def test_the_face_holds_re_exports_only(path):
    for node in parse(path).body:
        allowed = isinstance(node, (ast.Import, ast.ImportFrom))
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        text = ast.unparse(node).lstrip("(")
        fine = allowed or docstring or text.startswith(MACHINERY)
        assert fine, f"{name_of(path)}:{node.lineno}: {text}"


@each_file(FILES)
def test_files_are_short(path):
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert count <= 350, f"{name_of(path)} has {count} lines: two ideas?"


@each_file(SOURCES)
def test_lines_are_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    wide = [n for n, line in enumerate(lines, 1) if len(line) > 88]
    assert not wide, f"{name_of(path)}: wider than 88 columns at lines {wide}"


def test_every_package_on_disk_is_listed():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {package_of(p.parent) for p in FILES if p.name == "__init__.py"}
    assert listed == found
    homeless = [p for p in FILES if not (p.parent / "__init__.py").is_file()]
    assert not homeless
