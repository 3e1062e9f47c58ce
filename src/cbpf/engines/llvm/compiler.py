"""LLVM as a compiler: modules become object files, of this machine or of another target.

This is the only module that imports llvmlite.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.machinery import PathFinder
from threading import RLock

from ..._forks import guard_forks
from ..._named_tuple import NamedTuple
from ..._typing import Any, Final
from ...errors import MissingLibrary
from ...packet.buffers import has_c_api

_MISSING: Final = "the engine 'llvm' needs llvmlite: pip install 'cbpf[llvm]'"
_UNUSABLE: Final = "the engine 'llvm' cannot use the installed llvmlite ({}): pip install 'cbpf[llvm]'"
_UNSUPPORTED: Final = "the engine 'llvm' needs CPython on a 64-bit system: use engine='python'"
_MAX_OPTIMIZED_IR: Final = 200_000  # characters, about 1,000 instructions; larger modules are optimised less

# One thread at a time compiles, since LLVM has one global context. Reentrant, because a signal handler may interrupt a
# compilation, and compile or fork itself.
compiling: Final = RLock()


def _llvmlite_lock() -> AbstractContextManager[Any]:
    """Return the lock under which llvmlite calls LLVM, also for other packages and to free linked code."""
    library = getattr(sys.modules.get("llvmlite.binding.ffi"), "lib", None)
    return getattr(library, "_lock", None) or nullcontext()


guard_forks(lambda: compiling)
guard_forks(_llvmlite_lock)


def require_llvmlite() -> None:
    """Raise `MissingLibrary` if llvmlite is not installed or cannot be used here, without importing it."""
    if not has_c_api():
        raise MissingLibrary(_UNSUPPORTED)
    if not is_installed():
        raise MissingLibrary(_MISSING)


def is_installed() -> bool:
    """Return whether llvmlite is installed and can be used by this interpreter, without importing it."""
    if not has_c_api():
        return False
    if "llvmlite" in sys.modules:
        return sys.modules["llvmlite"] is not None
    return PathFinder.find_spec("llvmlite") is not None


@cache
def library() -> Any:
    """Return the module llvmlite.binding, ready to compile for this machine."""
    try:
        import llvmlite.binding as llvm
    except ModuleNotFoundError:
        raise MissingLibrary(_MISSING) from None
    except (ImportError, OSError) as error:
        raise MissingLibrary(_UNUSABLE.format(error)) from None
    if not hasattr(llvm, "create_pass_builder"):
        raise MissingLibrary(_UNUSABLE.format("it is too old"))
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def new_target_machine(level: int) -> Any:
    """Return a target machine for the generic processor of this architecture: cached code runs on every processor."""
    llvm = library()
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(opt=level, reloc="pic")


_target_machine: Final = cache(new_target_machine)

_PASSES: Final[Sequence[str]] = (
    "always_inliner",
    "sroa",
    "simplify_cfg",
    "instruction_combine",
    "new_gvn",
    "simplify_cfg",
)
# Without sroa, variables remain in memory. With it, each variable would become a value at every join of paths, and the
# fast register allocator would reserve stack for every value: megabytes for 100,000 instructions.
_PASSES_FOR_LARGE_MODULES: Final[Sequence[str]] = ("always_inliner",)
# Other targets have a better allocator, and a stack of 512 bytes (eBPF) or none (WebAssembly). In long programs,
# simplify_cfg would end the process: LLVM asserts that it converges in 1,000 iterations.
_PASSES_FOR_LARGE_CROSS_MODULES: Final[Sequence[str]] = ("always_inliner", "sroa")


@cache
def _pass_manager(names: Sequence[str]) -> Any:
    """Return the pass manager for these passes; cached, since llvmlite does not free a pass manager completely."""
    passes = library().create_new_module_pass_manager()
    for name in names:
        getattr(passes, f"add_{name}_pass")()
    return passes


def compile_module(ir: str) -> bytes:
    """Compile a module to an object file of this machine; the caller holds the lock `compiling`."""
    large = len(ir) > _MAX_OPTIMIZED_IR
    return _object_file(ir, _target_machine(0 if large else 1), _PASSES_FOR_LARGE_MODULES if large else _PASSES)


def _object_file(ir: str, target_machine: Any, passes: Sequence[str]) -> bytes:
    with _optimized(ir, target_machine, passes) as module:
        object_file: bytes = target_machine.emit_object(module)
    return object_file


@contextmanager
def _optimized(ir: str, target_machine: Any, names: Sequence[str]) -> Iterator[Any]:
    """Yield the module of a text after the passes with these names."""
    llvm = library()
    passes = _pass_manager(names)
    with llvm.create_context() as context, llvm.parse_assembly(ir, context) as module:
        # A pass builder is used once: it holds callbacks into the stack of the run for which it was created.
        with llvm.create_pass_builder(target_machine, llvm.create_pipeline_tuning_options()) as builder:
            passes.run(module, builder)
        yield module


class CrossTarget(NamedTuple):
    """Another target than this machine.

    Args:
        triple: The name of the target in LLVM.
        processor: The processor, or the version of the instruction set.
        features: The features to add or to remove, such as "+bulk-memory".
    """

    triple: str
    processor: str
    features: str = ""


_CROSS_LEVEL: Final = 2


def compile_for(ir: str, target: CrossTarget) -> bytes:
    """Compile a module to an object file of a target; raise `MissingLibrary` if llvmlite is not installed."""
    with compiling:
        return _object_file(ir, _cross_target_machine(target), _cross_passes(ir))


def assembly_for(ir: str, target: CrossTarget) -> str:
    """Compile a module to the assembly of a target; raise `MissingLibrary` if llvmlite is not installed."""
    with compiling, _optimized(ir, _cross_target_machine(target), _cross_passes(ir)) as module:
        text: str = _cross_target_machine(target).emit_assembly(module)
        return text


def _cross_passes(ir: str) -> Sequence[str]:
    return _PASSES_FOR_LARGE_CROSS_MODULES if len(ir) > _MAX_OPTIMIZED_IR else _PASSES


@cache
def _cross_target_machine(target: CrossTarget) -> Any:
    llvm = library()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    found = llvm.Target.from_triple(target.triple)
    return found.create_target_machine(cpu=target.processor, features=target.features, opt=_CROSS_LEVEL)
