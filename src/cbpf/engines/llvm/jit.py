"""Machine code: LLVM IR compiled, put into memory, and called. The only module that imports llvmlite.

What LLVM makes of our modules is code without relocations, which runs wherever it lies: so it is a string of
bytes that this module maps by itself, frees with its owner, and may keep on disk (`code_cache`).
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.machinery import PathFinder
from threading import Lock
from typing import Any, Final

from ...errors import MissingLibrary
from . import code_cache

_MISSING: Final = "the engine 'llvm' needs an extra: pip install 'cbpf[llvm]'"
_UNFIT: Final = "the engine 'llvm' cannot use this llvmlite ({}): pip install 'cbpf[llvm]'"
_PROT_READ_EXECUTE: Final = 1 | 4
_MAPS_ITSELF: Final = os.uname().machine == "x86_64"  # others must be told of new instructions
_LARGE: Final = 200_000  # characters of IR, about 1,000 instructions; beyond, LLVM is told to hurry

_compiling: Final = Lock()  # LLVM's global context is one


class Code:
    """Machine code in memory for as long as this object lives; *address* is that of its first instruction."""

    def __init__(self, address: int, owner: object) -> None:
        self.address = address
        self._owner = owner

    def function(self, result: Any, *arguments: Any) -> Any:
        """The code as a ctypes function, which releases the GIL and keeps the code."""
        function = ctypes.CFUNCTYPE(result, *arguments)(self.address)
        function.code = self  # type: ignore[attr-defined]
        return function


def require() -> None:
    """Raises `MissingLibrary` if LLVM is not installed; it is not imported."""
    if not is_installed():
        raise MissingLibrary(_MISSING)


def is_installed() -> bool:
    """Whether llvmlite can be found; it is not imported."""
    if "llvmlite" in sys.modules:
        return sys.modules["llvmlite"] is not None
    return PathFinder.find_spec("llvmlite") is not None


def load(ir: str) -> Code:
    """The code of a module, callable.

    Raises `MissingLibrary` if LLVM is needed and not installed, or executable memory is not to be had.
    """
    with _compiling:
        object_file = _compile(ir)
        code = _bare_code(object_file) if _MAPS_ITSELF else None
        return _link(object_file) if code is None else _map(code)


def load_cached(what: str, write: Callable[[], str]) -> Code:
    """The same for code that is kept on disk for the next process: then nothing is written, nor compiled.

    *what* says, with the edition of cbpf that is at work, what module *write* writes.
    """
    code = code_cache.look_up(what) if _MAPS_ITSELF else None
    if code is not None:
        return _map(code)
    with _compiling:
        object_file = _compile(write())
        code = _bare_code(object_file) if _MAPS_ITSELF else None
        if code is None:
            return _link(object_file)
    code_cache.store(what, code)
    return _map(code)


def _map(code: bytes) -> Code:
    """Puts code into memory that can be read and run, no longer written."""
    memory = mmap.mmap(-1, len(code), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(code)
    first = ctypes.c_char.from_buffer(memory)  # holds the memory
    address = ctypes.addressof(first)
    size = -len(code) % mmap.PAGESIZE + len(code)
    if _libc().mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), _PROT_READ_EXECUTE):
        raise MissingLibrary("engine 'llvm': this system gives no executable memory; use engine='python'")
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
        raise MissingLibrary(_UNFIT.format(error)) from None
    if not hasattr(llvm, "create_pass_builder"):
        raise MissingLibrary(_UNFIT.format("it is too old"))
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _new_target_machine(level: int) -> Any:
    """For any processor of this architecture, so that kept code runs on all of them."""
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
# Without sroa the registers stay in memory. Else each of them becomes a value at each place where ways meet, and the
# quick register allocation gives each value room on the stack: megabytes for 100,000 instructions.
_PASSES_FOR_LARGE: Final[Sequence[str]] = ("always_inliner",)


@cache
def _pass_manager(names: Sequence[str]) -> Any:
    """Kept, since llvmlite does not free all of a pass manager."""
    passes = _llvm().create_new_module_pass_manager()
    for name in names:
        getattr(passes, f"add_{name}_pass")()
    return passes


def _compile(ir: str) -> bytes:
    """The object file of a module."""
    llvm = _llvm()
    large = len(ir) > _LARGE
    machine = _target_machine(0 if large else 1)
    passes = _pass_manager(_PASSES_FOR_LARGE if large else _PASSES)
    with llvm.create_context() as context, llvm.parse_assembly(ir, context) as module:
        # Not to be kept: it would hold callbacks into the stack of the run before.
        with llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()) as builder:
            passes.run(module, builder)
        object_file: bytes = machine.emit_object(module)
    return object_file


def _bare_code(object_file: bytes) -> bytes | None:
    """The one section of instructions, or None where it refers to anything outside itself."""
    code = None
    with _llvm().ObjectFileRef.from_data(object_file) as sections_of:
        for section in sections_of.sections():
            name = section.name() or b""
            if section.is_text() and section.size():
                if code is not None:
                    return None
                code = section.data()[: section.size()]
            elif name.startswith((b".rela.text", b".rel.text", b".rodata", b".data")):
                return None
    return code


def _link(object_file: bytes) -> Code:
    """LLVM's own linker and loader: for code with relocations, and for other processors."""
    llvm = _llvm()
    machine = _new_target_machine(1)  # the engine's own, which dies with it
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(object_file))
    engine.finalize_object()
    return Code(engine.get_function_address("entry"), engine)
