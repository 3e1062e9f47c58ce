"""The machines of eBPF programs: loads as the kernel's verifier accepts them, and metadata of the context.

XDP programs read the packet between two addresses, and the verifier demands that each address is compared with the
second one. Programs of tc do so as well, and call a helper function for bytes after the second address, because those
of a packet may be in several pages. Programs of sockets use the load instructions of classic BPF, which end the program
with verdict 0.
"""

from ..._typing import Final
from ...engines.llvm.ir import I32, I64, Function, IRValue
from ...engines.llvm.machine import PacketMachine
from ...isa.dialects import Dialect, FetchOrder
from ...isa.enumerations import EXTENSION_WORDS, Extension
from ...isa.opcodes import LINK_OFFSET, NETWORK_OFFSET, SIGN_BIT
from ...isa.semantics import HeaderKind
from .hooks import HELPER_WORDS, LOAD_BYTES, ContextField, Hook

_MAX_POSITION: Final = 0xFFFF
"""The last position in a packet that the verifier and the helper function accept."""

_LOADS: Final = {1: "byte", 2: "half", 4: "word"}


class _ContextMachine(PacketMachine):
    """A machine whose metadata are fields of the context.

    Args:
        function: The function of the program, whose parameter "context" is the context of the hook.
        dialect: The dialect.
        hook: The hook.
    """

    def __init__(self, function: Function, dialect: Dialect, hook: Hook) -> None:
        super().__init__(function, dialect)
        self._hook = hook

    def lacks_device(self) -> IRValue:
        return self._field(self._hook.fields["ifidx"]).eq(0)

    def extension(self, extension: Extension, a: IRValue, x: IRValue) -> IRValue:
        word = EXTENSION_WORDS[extension]
        if word in HELPER_WORDS:
            return self._function.call(I32, helper(self._function, HELPER_WORDS[word]))
        return self._field(self._hook.fields[word])

    def _field(self, field: ContextField) -> IRValue:
        value = self._function["context"].gep(field.offset).load_aligned(4)
        return value.zext_or_trunc("i16").bswap().zext_or_trunc(I32) if field.is_network_order else value

    def _in_range(self, base: IRValue, displacement: int, size: int) -> IRValue:
        """Return a position as 64 bits; end the run if it is so large that no packet has it."""
        position = base.zext_or_trunc(I64) + displacement
        self._reject_if(position > _MAX_POSITION - size)
        return position

    def _number(self, address: IRValue, size: int, byte_order: FetchOrder) -> IRValue:
        value = address.load_aligned(size)  # the kernels of x86-64 and arm64 accept any address
        return (value.bswap() if byte_order == "big" else value).zext_or_trunc(I32)


class XDPMachine(_ContextMachine):
    """The machine of XDP programs; the parameter "length" is the address of the end of the packet."""

    def fetch(self, base: IRValue, displacement: int, size: int, byte_order: FetchOrder) -> IRValue:
        address = self._function["memory"].gep(self._in_range(base, displacement, size))
        self._reject_if(address.gep(size) > self._length)
        return self._number(address, size, byte_order)


class ClassifierMachine(_ContextMachine):
    """The machine of programs of tc: the bytes after the end of those that have an address are loaded by a helper."""

    def __init__(self, function: Function, dialect: Dialect, hook: Hook) -> None:
        super().__init__(function, dialect, hook)
        self._bytes = function.alloca(I64, 1)

    def fetch(self, base: IRValue, displacement: int, size: int, byte_order: FetchOrder) -> IRValue:
        function = self._function
        position = self._in_range(base, displacement, size)
        address = function["memory"].gep(position)
        result = function.variable(I32, 0)
        beyond = address.gep(size) > self._length
        with function.if_then(beyond, rare=True):
            arguments = function["context"], position.zext_or_trunc(I32), self._bytes, self.word(size)
            error = function.call(I64, helper(function, LOAD_BYTES), *arguments)
            self._reject_if(error.ne(0))
            result.value = self._number(self._bytes, size, byte_order)
        with function.if_then(address.gep(size) <= self._length):
            result.value = self._number(address, size, byte_order)
        return result.value


class SocketMachine(_ContextMachine):
    """The machine of programs of sockets, whose load instructions also have the header windows of Linux."""

    def header(self, header: HeaderKind) -> IRValue:
        return self.word({"packet": 0, "network": NETWORK_OFFSET, "link": LINK_OFFSET}[header])

    def fetch(self, base: IRValue, displacement: int, size: int, byte_order: FetchOrder) -> IRValue:
        position = base.zext_or_trunc(I64) + displacement
        if not self._dialect.header_windows:
            self._reject_if(position >= SIGN_BIT)
        offset = position.zext_or_trunc(I32).sext(I64)
        loaded = self._function.call(I64, f"@llvm.bpf.load.{_LOADS[size]}", self._function["context"], offset)
        self._function.use(loaded)  # LLVM does not know that the load may end the program
        value = loaded.zext_or_trunc(I32)
        if byte_order == "big" or size == 1:
            return value
        swapped = value.zext_or_trunc("i16" if size == 2 else I32).bswap()
        return swapped.zext_or_trunc(I32)


def helper(function: Function, number: int) -> IRValue:
    """Return the address of a helper function, by which compiled programs call it."""
    return function.constant(I64, number).inttoptr()
