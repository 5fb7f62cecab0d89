"""From a kernel's source to machine code: the one place that drives triton's compiler.

The stages are driven one by one instead of through `triton.compile`, whose own disk
cache first hashes the whole of triton (1 to 3 seconds a process) and needs a home
folder that can be written. Ours lies in front of this: see ahead.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..interpreter.interpreter import LOCK
from ..kernel import Config, Kernel
from .binary import Binary
from .sources import load_source

if TYPE_CHECKING:
    from triton.backends.compiler import GPUTarget

__all__ = ["build", "function_of"]

ALIGNED = [["tt.divisibility", 16]]
HIDDEN = 2  # scratch and profile pointers


def function_of(kernel: Kernel) -> Any:
    """The `@triton.jit` function of a kernel."""
    return load_source(kernel.name, kernel.source)[kernel.name]


def build(kernel: Kernel, config: Config, target: str) -> Binary:
    """Compile, without any cache; whatever triton or ptxas raises."""
    asm, facts = run_stages(kernel, config, gpu_target(target))
    code = asm["cubin"] if "cubin" in asm else asm["hsaco"]
    return Binary(
        name=facts["name"],
        target=target,
        code=code,
        types=tuple(p.type for p in kernel.params),
        warps=facts["num_warps"],
        shared=facts["shared"],
        scratch=facts.get("global_scratch_size", 0),
        hidden=hidden_parameters(asm, facts["name"], len(kernel.params)),
        notes=amd_notes(asm["amdgcn"]) if "amdgcn" in asm else {},
    )


def gpu_target(target: str) -> GPUTarget:
    """ "sm_90" or "gfx942" as triton names it."""
    from triton.backends.compiler import GPUTarget

    if target.startswith("sm_"):
        return GPUTarget("cuda", int(target[3:].rstrip("a")), 32)
    return GPUTarget("hip", target, 64 if target.startswith("gfx9") else 32)


def run_stages(kernel: Kernel, config: Config, target: GPUTarget) -> tuple[dict, dict]:
    """Every stage's output by its name, and what the compiler noted down."""
    from triton._C.libtriton import ir
    from triton.compiler import make_backend

    source, backend = ast_source(kernel, config), make_backend(target)
    wanted = {**options_of(kernel, config), **source.parse_options()}
    options = backend.parse_options(wanted)
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    functions, modules = codegen(backend, options)
    with LOCK:  # an interpreter in another thread patches the language
        module = source.make_ir(target, options, functions, modules, context)
    stages: dict[str, Any] = {}
    backend.add_stages(stages, options, source.language)
    facts = {"target": target, **options.__dict__}
    asm = {}
    for name, stage in stages.items():
        asm[name] = module = stage(module, facts)
    return asm, facts


def codegen(backend: Any, options: Any) -> tuple[Any, Any]:
    """What the backend adds to the language."""
    return backend.get_codegen_implementation(options), backend.get_module_map()


def ast_source(kernel: Kernel, config: Config) -> Any:
    """The kernel with types of its parameters and values of its constants."""
    from triton.compiler import ASTSource

    function, constants = function_of(kernel), dict(config.constants)
    names, types = function.arg_names, {p.name: p.type for p in kernel.params}
    values = {(names.index(n),): v for n, v in constants.items()}
    aligned = {(names.index(p.name),): ALIGNED for p in kernel.params if p.aligned}
    return ASTSource(
        fn=function,
        signature={n: types.get(n, "constexpr") for n in names},
        constexprs=values,
        attrs=aligned,
    )


def options_of(kernel: Kernel, config: Config) -> dict[str, Any]:
    """Explicit where versions differ: 3.6 contracts a*b+c by default, 3.9 does not."""
    return {
        "num_warps": config.warps,
        "num_stages": config.stages,
        "enable_fp_fusion": "fp_fusion" in kernel.tags,
    }


def hidden_parameters(asm: dict[str, Any], name: str, given: int) -> int:
    """How many pointers the code expects beyond the kernel's own parameters."""
    found = re.search(rf"\.entry {re.escape(name)}\(([^)]*)\)", asm.get("ptx", ""))
    return found.group(1).count(".param") - given if found else HIDDEN


def amd_notes(assembly: str) -> dict[str, Any]:
    """Registers and spills, which AMD's assembler writes into the text."""
    keys = ("vgpr_count", "vgpr_spill_count", "sgpr_spill_count")
    found = {k: re.search(rf"\.{k}:\s+(\d+)", assembly) for k in keys}
    words = re.findall(r"^\s+([a-z][a-z0-9_]+)\s", assembly, re.M)
    counts = {w: words.count(w) for w in set(words)}
    return {"counts": counts, **{k: int(m[1]) for k, m in found.items() if m}}
