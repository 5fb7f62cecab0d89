"""What generated kernels look like as machine code: the proof that needs no GPU.

    python -m benchmarks.proof [--targets sm_80 sm_90 sm_100] [--only WORD] [--out FILE]

compiles the corpus ahead of time and prints, for each kernel and target (and each form
that a product has there): registers, bytes spilled, shared memory against the limit,
widest load and store, narrowest copy past the registers, tensor-core instructions; and
for each program its kernels beside the operations recorded, and the bytes it moves
against the least possible (inputs and outputs once). Exit status 1 when
a kernel fails to compile, spills, or asks for more shared memory than there is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Iterator

import tracefuse as torch
from tracefuse.kernels.triton.compile import Executable, compile
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.kernels.triton.kernel import Config, Kernel
from tracefuse.kernels.triton.native.ahead import (
    compile_all,
    compile_kernel,
    triton_version,
)
from tracefuse.kernels.triton.native.figures import inspect_binary
from tracefuse.tracer.errors import CompileError
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.ops import OPS
from tracefuse.tracer.types import DTYPES, DType, bool_

from .corpus import Case, corpus
from .ours import chosen

__all__ = ["main", "proved", "table"]

LIMITS = {"sm_80": 166912, "sm_90": 232448, "sm_100": 232448, "gfx942": 65536}
USUAL = ("sm_80", "sm_90", "sm_100")


def program_of(case: Case) -> tuple[Graph, Any]:
    """The recorded graph of a case and its compiled program, not run."""
    torch.manual_seed(0)
    function, args = case.make()
    with chosen(False, case.tf32):
        lowered = torch.jit(function, backend="triton-interpreter").lower(*args)
    return lowered.graph, lowered.executable


def primitives() -> Iterator[tuple[str, Graph]]:
    """A graph for each pointwise primitive, comparison and reduction, by type."""
    for op, (_, kind, meaning) in OPS.items():
        for dtype in map(DTYPES.get, ("float32", "bfloat16", "int64")):
            made = _primitive(op, kind, meaning, dtype)
            if made is not None:
                yield f"{op} {dtype.short}", made


def _primitive(op: str, kind: str, meaning: Any, dtype: DType) -> Any:
    x, y = (placeholder(n, (64, 4096), dtype) for n in "xy")
    try:
        if kind == "reduce":
            attrs = {"axis": -1} if op.startswith("arg") else {"axes": (-1,)}
            return Graph(op, [x], [make(op, (x,), **attrs)])
        if op == "where":
            c = placeholder("c", (64, 4096), bool_)
            return Graph(op, [c, x, y], [make(op, (c, x, y))])
        if op == "cast":
            return Graph(op, [x], [make(op, (x,), dtype=DTYPES["float32"])])
        if kind in ("pointwise", "compare"):
            args = (x, y) if getattr(meaning, "nin", 1) == 2 else (x,)
            graph = Graph(op, args, [make(op, args)])
            compile(graph, Interpreter())
            return graph
    except TypeError:  # not defined for this type
        return None
    return None


def proved(
    name: str, graph: Graph, made: Executable, targets: tuple[str, ...]
) -> Iterator[dict]:
    """One record for each kernel and target of a program."""
    recorded = len(graph.nodes()) - len(graph.inputs)
    moved = sum(k.bytes for k in made.kernels)
    least = sum(_bytes(v) for v in (*graph.inputs, *graph.outputs))
    facts = {"operations": recorded, "kernels": len(made.kernels)}
    facts.update({"host": len(made.slow), "bytes": moved, "least": least})
    for kernel in made.program.kernels.values():
        for target in targets:
            for config in forms(kernel, target):
                yield {
                    "case": name,
                    "kernel": kernel.name,
                    "ops": ",".join(kernel.ops[:6]),
                    "target": target,
                    **facts,
                    "form": dict(config.constants).get("TMA", 0),
                    **figures(kernel, target, config),
                }


def forms(kernel: Kernel, target: str) -> list[Config]:
    """The configuration that is taken without a clock, and the first of other forms."""
    found: dict[int, Config] = {}
    for config in kernel.choices(target):
        found.setdefault(dict(config.constants).get("TMA", 0), config)
    return list(found.values())


def _bytes(v: Any) -> int:
    count = v.dtype.itemsize
    for n in v.shape:
        count *= n
    return count


def figures(kernel: Kernel, target: str, config: Config) -> dict:
    """What the compiler made of a kernel; `problem` says what is wrong with it."""
    try:
        found = inspect_binary(compile_kernel(kernel, config, target))
    except CompileError as error:
        return {"problem": str(error)[-300:]}
    wrong = []
    # libdevice keeps a table in local memory for large arguments: no spill.
    table = 32 if {"sin", "cos"} & set(kernel.ops) else 0
    if found.stack > table:
        wrong.append(f"spills {found.stack} bytes")
    if found.shared > LIMITS.get(target, 232448):
        wrong.append(f"{found.shared} bytes of shared memory")
    half = any(p.type in ("*bf16", "*fp16") for p in kernel.params)
    if "matmul" in kernel.tags and half and not found.tensor:
        wrong.append("no tensor cores")
    return {
        "registers": found.registers,
        "stack": found.stack,
        "shared": found.shared,
        "load": max(found.loads, default=0),
        "store": max(found.stores, default=0),
        "copy": min(found.copies, default=0),
        "asynchronous": found.asynchronous,
        "tensor": found.tensor,
        "instructions": found.instructions,
        "problem": "; ".join(wrong),
    }


def table(records: list[dict]) -> str:
    """The records for people."""
    lines = []
    before = None
    for r in records:
        if r["case"] != before:
            before = r["case"]
            more = f", {r['host']} on the host" if r["host"] else ""
            lines.append(
                f"{before}: {r['operations']} operations, {r['kernels']} kernels{more},"
                f" {r['bytes'] / 1e6:.2f} MB moved, {r['least'] / 1e6:.2f} at least"
            )
        if "registers" not in r:
            lines.append(f"  {r['kernel']} {r['target']}: {r['problem']}")
            continue
        named = {**r["asynchronous"], **r["tensor"]}
        parts = ", ".join(f"{k} {n}" for k, n in named.items())
        lines.append(
            f"  {r['kernel'][-18:]:18} {r['target']:6} {r['registers']:3} registers "
            f"{r['stack']:4} spilled {r['shared']:6} shared, load {r['load']:3} copy "
            f"{r['copy']:3} store {r['store']:3} {parts} [{r['ops']}] {r['problem']}"
        )
    return "\n".join(lines)


def programs(only: str) -> Iterator[tuple[str, Graph, Any]]:
    """Everything to be proved whose name contains `only`."""
    for name, graph in primitives():
        if only in name:
            yield name, graph, compile(graph, Interpreter())
    for case in corpus():
        if only in case.name:
            yield case.name, *program_of(case)


def main(arguments: Any = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="benchmarks.proof", description=__doc__)
    parser.add_argument("--targets", nargs="+", default=list(USUAL))
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--out", type=Path, help="write the records as JSON")
    options = parser.parse_args(arguments)
    records: list[dict] = []
    for name, graph, made in programs(options.only):
        kernels = made.program.kernels.values()
        for target in options.targets:
            jobs = [(k, c) for k in kernels for c in forms(k, target)]
            try:
                compile_all(jobs, target)
            except CompileError:
                pass  # reported with the kernel it belongs to
        found = list(proved(name, graph, made, tuple(options.targets)))
        records += found
        print(table(found), flush=True)
    bad = [r for r in records if r["problem"]]
    count = len({(r["case"], r["kernel"]) for r in records})
    print(
        f"triton {triton_version()}: {count} kernels, {len(records)} binaries, "
        f"{len(bad)} with a problem"
    )
    if options.out:
        options.out.write_text(json.dumps(records, indent=1))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
