"""A program as a WebAssembly module with one function and its memory.

LLVM writes an object file, which is to be linked. The function of a program calls no other and uses no stack, so that
its code has no relocations: the module has the types and the code of the object file, with a memory and exports.

Source: webassembly.github.io/spec, binary format; github.com/WebAssembly/tool-conventions, Linking.
"""

from collections.abc import Iterator, Mapping

from .._typing import Final
from ..engines.llvm.compiler import CrossTarget, compile_for
from ..engines.llvm.ir import I32, I64, Function, module_text
from ..engines.llvm.machine import PacketMachine, filter_function
from ..isa.dialects import Dialect
from ..isa.program import Program

_TARGET: Final = CrossTarget("wasm32-unknown-unknown", "mvp")
_MAGIC: Final = b"\0asm\1\0\0\0"
_CUSTOM, _TYPE, _FUNCTION, _MEMORY, _EXPORT, _CODE = 0, 1, 3, 5, 7, 10
_EXPORTED_FUNCTION, _EXPORTED_MEMORY = 0, 2
_INITIAL_PAGES: Final = 5
"""The memory at the start, in pages of 64 KiB: enough for the largest packet of a capture, 262,144 bytes."""


def wasm_module(program: Program, dialect: Dialect, name: str) -> bytes:
    """Return a module that exports "memory" and the function (address, captured length, wire length) -> verdict.

    All of these are numbers of 32 bits; JavaScript shows a verdict of 2**31 and above as a negative number.
    """
    return _linked(compile_for(_ir(program, dialect, name), _TARGET), name)


def _ir(program: Program, dialect: Dialect, name: str) -> str:
    filter = filter_function(program, dialect, PacketMachine)
    function = Function(name, I32, packet="ptr noalias readonly", captured=I32, wire=I32)
    captured = function["captured"]
    arguments = function["packet"], captured.zext_or_trunc(I64), captured, function["wire"], function.null()
    function.ret(function.call(I32, filter, *arguments))
    return module_text(function, filter)


def _linked(object_file: bytes, name: str) -> bytes:
    """Return the module of an object file with a single function."""
    sections = dict(_sections(object_file))
    assert sections[_FUNCTION][:1] == b"\1", "the object file has several functions"
    memory = b"\1\0" + _unsigned(_INITIAL_PAGES)
    exports = b"\2" + _export("memory", _EXPORTED_MEMORY) + _export(name, _EXPORTED_FUNCTION)
    linked: Mapping[int, bytes] = {**sections, _MEMORY: memory, _EXPORT: exports}
    order = (_TYPE, _FUNCTION, _MEMORY, _EXPORT, _CODE)
    return _MAGIC + b"".join(bytes([kind]) + _sized(linked[kind]) for kind in order)


def _export(name: str, kind: int) -> bytes:
    return _sized(name.encode()) + bytes([kind, 0])


def _sized(content: bytes) -> bytes:
    return _unsigned(len(content)) + content


def _unsigned(number: int) -> bytes:
    """Return a number as LEB128.

    >>> _unsigned(624485).hex()
    'e58e26'
    """
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each section, except for those with information for linkers."""
    position = len(_MAGIC)
    while position < len(module):
        kind = module[position]
        size, begin = _read_unsigned(module, position + 1)
        content = module[begin : begin + size]
        assert not (kind == _CUSTOM and content[1:].startswith(b"reloc.")), "the code has relocations"
        if kind != _CUSTOM:
            yield kind, content
        position = begin + size


def _read_unsigned(data: bytes, position: int) -> tuple[int, int]:
    """Return the LEB128 number at a position, and the position after it."""
    number = shift = 0
    while True:
        digit = data[position]
        number |= (digit & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if digit < 0x80:
            return number, position
