"""The llvm engine: words are values of LLVM IR, and the program becomes a function of machine code.

`machine` writes the function of a program as text, `entry_points` add the functions that call it, and `jit` compiles
and loads them. Each entry point is compiled when it is first used; those for batches are cached on disk.
"""

import ctypes
from array import array
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Literal, TypeAlias

from ..._lazy import Lazy
from ...isa.dialects import Dialect
from ...isa.opcodes import WORD_MASK
from ...isa.program import Program
from ...packet.batch import Packets, as_packet
from ...packet.buffers import address_of
from ...packet.skb import SocketBuffer
from . import object_layout
from .context import context_for, default_context, needs_callback, raise_interruption
from .jit import Code, load, load_cached, require_llvmlite

EntryPoint: TypeAlias = Literal["evaluate", "match", "match_objects", "match_ranges", "pycfunction"]
"""The name of a function of `entry_points`."""


class _PacketRow(ctypes.Structure):
    """A row of `entry_points.match`."""

    _fields_ = (("packet", ctypes.c_char_p), ("captured", ctypes.c_uint32), ("wire", ctypes.c_uint32))


class LLVMEngine:
    """One program as machine code; threads may share an engine.

    Args:
        program: The program, which *dialect* must accept.
        dialect: The dialect.

    Raises:
        MissingLibrary: llvmlite is not installed.
    """

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self._program = program
        self._dialect = dialect
        require_llvmlite()

    @property
    def run(self) -> Callable[[Any], int]:
        """A builtin function that returns the verdict on one packet and owns its code.

        In two cases it is `evaluate` instead, which calls the code through ctypes and returns equal verdicts: if the
        program calls Python for an extension, since a builtin could not raise an exception of the callback (such as
        KeyboardInterrupt), and if the interpreter does not have the object layout on which a builtin relies.
        """
        if needs_callback(self._program) or not object_layout.is_supported():
            return self.evaluate
        from .pycfunction import make_pycfunction

        return make_pycfunction(load(self._module_text("pycfunction")), default_context())

    def evaluate(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int:
        """Return the verdict on a packet; see `RunFunction`."""
        data = as_packet(packet)
        memory = data if buffer is None else buffer.memory
        if type(memory) is not bytes:
            memory = memoryview(memory).tobytes()
        context = default_context() if buffer is None else context_for(buffer)
        captured = len(data)
        wire = captured if wire_length is None else wire_length
        verdict: int = self._evaluate(
            memory, len(memory), captured & WORD_MASK, wire & WORD_MASK, ctypes.byref(context)
        )
        raise_interruption()
        return verdict

    def verdicts(self, packets: Packets | Iterable[Any]) -> "array[int]":
        """Return the verdicts on many packets; the GIL is released while the code runs."""
        if type(packets) is Packets:  # its ranges were checked; those of an object that resembles one were not
            return self._verdicts_of_ranges(packets)
        objects = tuple(packets)
        if set(map(type, objects)) - {bytes}:
            objects = tuple([item if type(item) is bytes else bytes(as_packet(item)) for item in objects])
        return self._verdicts_of_objects(objects)

    def _verdicts_of_objects(self, objects: tuple[bytes, ...]) -> "array[int]":
        if not object_layout.is_supported():
            return self._verdicts_of_ranges(Packets.of(objects))
        verdicts = array("I", bytes(4 * len(objects)))
        items = id(objects) + object_layout.TUPLE_OFFSET
        self._match_objects(items, len(objects), verdicts.buffer_info()[0], ctypes.byref(default_context()))
        raise_interruption()
        return verdicts

    def _verdicts_of_ranges(self, packets: Packets) -> "array[int]":
        verdicts = array("I", bytes(4 * len(packets)))
        with ExitStack() as stack:
            columns = (packets.buffer, packets.positions, packets.lengths, packets.wire_lengths)
            addresses = [stack.enter_context(address_of(column)) for column in columns]
            self._match_ranges(*addresses, len(packets), verdicts.buffer_info()[0], ctypes.byref(default_context()))
        raise_interruption()
        return verdicts

    def match(self, packet: Any, wire_length: int) -> int:
        """Return the verdict on a packet of a capture.

        It calls the entry point for many packets: callers of `match` usually run the filter on many packets later, for
        which the code is then compiled already.
        """
        data = packet if type(packet) is bytes else bytes(as_packet(packet))
        row, verdict = _PacketRow(data, len(data), wire_length), ctypes.c_uint32()
        self.native(ctypes.byref(row), 1, ctypes.byref(verdict), ctypes.byref(default_context()))
        raise_interruption()
        return verdict.value

    @Lazy
    def native(self) -> Any:
        """The code of `entry_points.match` as a ctypes function; cached on disk, since it filters captures."""
        word, address, size = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64
        return self._load_cached("match").function(word, address, size, address, address)

    @Lazy
    def _match_ranges(self) -> Any:
        word, address, size = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64
        code = self._load_cached("match_ranges")
        return code.function(word, address, address, address, address, size, address, address)

    @Lazy
    def _match_objects(self) -> Any:
        word, address, size = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64
        code = load(self._module_text("match_objects"))
        return code.function(word, address, size, address, address)

    @Lazy
    def _evaluate(self) -> Any:
        word, address, size = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64
        code = load(self._module_text("evaluate"))
        return code.function(word, ctypes.c_char_p, size, word, word, address)

    def _load_cached(self, entry_point: EntryPoint) -> Code:
        """Load an entry point, from the disk cache if possible.

        The key consists of everything that the code depends on: the program, and the properties of the dialect that the
        semantics uses.
        """
        dialect = self._dialect
        properties = f"{dialect.byte_order} {dialect.shift_count} {dialect.wrapping_offsets} {dialect.header_windows}"
        key = f"{entry_point} {properties} {dialect.record_size} {bytes(self._program).hex()}"
        return load_cached(key, lambda: self._module_text(entry_point))

    def _module_text(self, entry_point: EntryPoint) -> str:
        """Return the LLVM IR of an entry point."""
        from . import entry_points
        from .machine import filter_function

        text: str = getattr(entry_points, entry_point)(filter_function(self._program, self._dialect))
        return text
