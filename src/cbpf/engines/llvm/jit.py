"""The JIT compiler: LLVM IR becomes machine code in executable memory. The only module that imports llvmlite.

The code that LLVM generates for our modules has no relocations, so that it can be executed at any address. On x86-64
this module therefore maps it into memory as a string of bytes, unmaps it with its owner, and can cache it on disk
(`code_cache`). Code with relocations, and code for other processors, is loaded by LLVM's own linker.
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.machinery import PathFinder
from threading import RLock

from ..._forks import guard_forks
from ..._typing import Any, Final
from ...errors import MissingLibrary
from ...packet.buffers import has_c_api
from . import code_cache

_MISSING: Final = "the engine 'llvm' needs llvmlite: pip install 'cbpf[llvm]'"
_UNUSABLE: Final = "the engine 'llvm' cannot use the installed llvmlite ({}): pip install 'cbpf[llvm]'"
_UNSUPPORTED: Final = "the engine 'llvm' needs CPython on a 64-bit system: use engine='python'"
_PROT_READ_EXECUTE: Final = 1 | 4
_MAPS_CODE: Final = os.uname().machine == "x86_64"  # other processors need their instruction cache flushed
_MAX_OPTIMIZED_IR: Final = 200_000  # characters, about 1,000 instructions; larger modules are optimised less

# One thread at a time compiles, since LLVM has one global context. Reentrant, because a signal handler may interrupt a
# compilation, and compile or fork itself.
_compiling: Final = RLock()


def _llvmlite_lock() -> AbstractContextManager[Any]:
    """Return the lock under which llvmlite calls LLVM, also for other packages and to free linked code."""
    library = getattr(sys.modules.get("llvmlite.binding.ffi"), "lib", None)
    return getattr(library, "_lock", None) or nullcontext()


guard_forks(lambda: _compiling)
guard_forks(_llvmlite_lock)


class Code:
    """Machine code in executable memory, which is freed with this object.

    Args:
        address: The address of the first instruction.
        owner: The object that owns the memory.
    """

    def __init__(self, address: int, owner: object) -> None:
        self.address = address
        self._owner = owner

    def function(self, result: Any, *arguments: Any) -> Any:
        """Return the code as a ctypes function, which releases the GIL during calls and owns the code."""
        function = ctypes.CFUNCTYPE(result, *arguments)(self.address)
        function.code = self  # type: ignore[attr-defined]
        return function


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


def load(ir: str) -> Code:
    """Compile a module and load its code.

    Args:
        ir: The text of the module; the function named "entry" is called.

    Raises:
        MissingLibrary: llvmlite is not installed or not usable, or the system does not provide executable memory.
    """
    with _compiling:
        object_file = _compile(ir)
        code = _relocation_free_code(object_file) if _MAPS_CODE else None
        return _link(object_file) if code is None else _map(code)


def load_cached(key: str, write_ir: Callable[[], str]) -> Code:
    """Load code from the disk cache, or compile a module and store its code there for later processes.

    Args:
        key: A text that determines the module, given the source of this package.
        write_ir: Returns the text of the module; called only if the code is not cached.

    Raises:
        MissingLibrary: llvmlite is not installed or not usable, or the system does not provide executable memory.
    """
    code = code_cache.look_up(key) if _MAPS_CODE else None
    if code is not None:
        return _map(code)
    with _compiling:
        object_file = _compile(write_ir())
        code = _relocation_free_code(object_file) if _MAPS_CODE else None
        if code is None:
            return _link(object_file)
    code_cache.store(key, code)
    return _map(code)


def _map(code: bytes) -> Code:
    """Copy code into memory that is readable and executable, but not writable."""
    memory = mmap.mmap(-1, len(code), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(code)
    first = ctypes.c_char.from_buffer(memory)  # owns the mapping
    address = ctypes.addressof(first)
    size = -len(code) % mmap.PAGESIZE + len(code)
    if _libc().mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), _PROT_READ_EXECUTE):
        raise MissingLibrary(
            "the engine 'llvm' needs executable memory, which the system does not allow: use engine='python'"
        )
    return Code(address, first)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _llvm() -> Any:
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


def _new_target_machine(level: int) -> Any:
    """Return a target machine for the generic processor of this architecture: cached code runs on every processor."""
    llvm = _llvm()
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(opt=level, reloc="pic")


_target_machine: Final = cache(_new_target_machine)

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


@cache
def _pass_manager(names: Sequence[str]) -> Any:
    """Return the pass manager for these passes; cached, since llvmlite does not free a pass manager completely."""
    passes = _llvm().create_new_module_pass_manager()
    for name in names:
        getattr(passes, f"add_{name}_pass")()
    return passes


def _compile(ir: str) -> bytes:
    """Compile a module to an object file."""
    llvm = _llvm()
    large = len(ir) > _MAX_OPTIMIZED_IR
    target_machine = _target_machine(0 if large else 1)
    passes = _pass_manager(_PASSES_FOR_LARGE_MODULES if large else _PASSES)
    with llvm.create_context() as context, llvm.parse_assembly(ir, context) as module:
        # A pass builder is used once: it holds callbacks into the stack of the run for which it was created.
        with llvm.create_pass_builder(target_machine, llvm.create_pipeline_tuning_options()) as builder:
            passes.run(module, builder)
        object_file: bytes = target_machine.emit_object(module)
    return object_file


def _relocation_free_code(object_file: bytes) -> bytes | None:
    """Return the only section of instructions; None if it refers to anything outside it."""
    code = None
    with _llvm().ObjectFileRef.from_data(object_file) as reader:
        for section in reader.sections():
            name = section.name() or b""
            if section.is_text() and section.size():
                if code is not None:
                    return None
                code = section.data()[: section.size()]
            elif name.startswith((b".rela.text", b".rel.text", b".rodata", b".data")):
                return None
    return code


def _link(object_file: bytes) -> Code:
    """Load an object file by LLVM's linker: for code with relocations, and for other processors."""
    llvm = _llvm()
    target_machine = _new_target_machine(1)  # owned by the engine, which frees it
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(object_file))
    engine.finalize_object()
    return Code(engine.get_function_address("entry"), engine)
