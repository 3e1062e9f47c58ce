"""The JIT compiler: LLVM IR becomes machine code in executable memory.

The code that LLVM generates for our modules has no relocations, so that it can be executed at any address. On x86-64
this module therefore maps it into memory as a string of bytes, unmaps it with its owner, and can cache it on disk
(`code_cache`). Code with relocations, and code for other processors, is loaded by LLVM's own linker.
"""

import ctypes
import mmap
import os
from collections.abc import Callable
from functools import cache

from ..._typing import Any, Final
from ...errors import MissingLibrary
from . import code_cache
from .compiler import compile_module, compiling, library, new_target_machine

_PROT_READ_EXECUTE: Final = 1 | 4
_MAPS_CODE: Final = os.uname().machine == "x86_64"  # other processors need their instruction cache flushed


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


def load(ir: str) -> Code:
    """Compile a module and load its code.

    Args:
        ir: The text of the module; the function named "entry" is called.

    Raises:
        MissingLibrary: llvmlite is not installed or not usable, or the system does not provide executable memory.
    """
    with compiling:
        object_file = compile_module(ir)
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
    with compiling:
        object_file = compile_module(write_ir())
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


def _relocation_free_code(object_file: bytes) -> bytes | None:
    """Return the only section of instructions; None if it refers to anything outside it."""
    code = None
    with library().ObjectFileRef.from_data(object_file) as reader:
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
    llvm = library()
    target_machine = new_target_machine(1)  # owned by the engine, which frees it
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(object_file))
    engine.finalize_object()
    return Code(engine.get_function_address("entry"), engine)
