"""The native engine: words are LLVM values, and the program becomes a function of machine code.

`llvm_machine` writes that function; `entries` are the ways to call it, each compiled when it is first asked for. Here
is what holds and calls the code, which may also come from the disk.
"""

import ctypes
from array import array
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Literal, TypeAlias

from ...isa.dialects import Dialect
from ...isa.opcodes import WORD_MASK
from ...isa.program import Program
from ...packet.batch import Packets, as_packet
from ...packet.buffers import address_of
from ...packet.skb import SocketBuffer
from .context import context_for, default_context, needs_callback, raise_interruption
from .jit import Code, load, load_cached, require

Entry: TypeAlias = Literal["builtin", "evaluate", "match", "match_objects", "match_ranges"]
"""The functions of `entries`."""


class _Row(ctypes.Structure):
    """A row of `entries.match`."""

    _fields_ = (("packet", ctypes.c_char_p), ("captured", ctypes.c_uint32), ("wire", ctypes.c_uint32))


class LLVMEngine:
    """One program in machine code. Compiled code is shared by threads; a batch runs without the GIL."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self._program = program
        self._dialect = dialect
        require()

    @property
    def run(self) -> Callable[[Any], int]:
        """See `Engine.run`: a builtin of its own, which keeps its code; but not of a program that asks Python back."""
        if needs_callback(self._program):
            return self.evaluate  # a builtin could not raise what comes meanwhile, as Ctrl-C
        from .pycfunction import make_pycfunction

        return make_pycfunction(load(self._write("builtin")), default_context())

    def evaluate(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int:
        """See `Run`."""
        data = as_packet(packet)
        memory = data if buffer is None else buffer.memory
        if not isinstance(memory, bytes):
            memory = bytes(memory)
        circumstances = default_context() if buffer is None else context_for(buffer)
        captured = len(data)
        wire = captured if wire_length is None else wire_length
        verdict: int = self._evaluate(
            memory, len(memory), captured & WORD_MASK, wire & WORD_MASK, ctypes.byref(circumstances)
        )
        raise_interruption()
        return verdict

    def verdicts(self, packets: Packets | Iterable[Any]) -> "array[int]":
        """See `Engine`; without the GIL while it runs."""
        if isinstance(packets, Packets):
            return self._verdicts_of_ranges(packets)
        objects = tuple(packets)
        if set(map(type, objects)) - {bytes}:
            objects = tuple([one if type(one) is bytes else bytes(as_packet(one)) for one in objects])
        verdicts = array("I", bytes(4 * len(objects)))
        items = id(objects) + tuple.__basicsize__
        self._match_objects(items, len(objects), verdicts.buffer_info()[0], ctypes.byref(default_context()))
        raise_interruption()
        return verdicts

    def _verdicts_of_ranges(self, packets: Packets) -> "array[int]":
        verdicts = array("I", bytes(4 * len(packets)))
        with ExitStack() as held:
            columns = (packets.buffer, packets.positions, packets.lengths, packets.wire_lengths)
            addresses = [held.enter_context(address_of(column)) for column in columns]
            self._match_ranges(*addresses, len(packets), verdicts.buffer_info()[0], ctypes.byref(default_context()))
        raise_interruption()
        return verdicts

    def match(self, packet: bytes, wire_length: int) -> int:
        """See `Engine`: the code for many packets, as where single ones are asked for many follow."""
        row, verdict = _Row(packet, len(packet), wire_length), ctypes.c_uint32()
        self.native(ctypes.byref(row), 1, ctypes.byref(verdict), ctypes.byref(default_context()))
        raise_interruption()
        return verdict.value

    @cached_property
    def native(self) -> Any:
        """The code of `entries.match` as a ctypes function; kept on disk, as whole captures are filtered with it."""
        word, address = ctypes.c_uint32, ctypes.c_void_p
        return self._kept("match").function(word, address, ctypes.c_uint64, address, address)

    @cached_property
    def _match_ranges(self) -> Any:
        word, address, number = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64
        return self._kept("match_ranges").function(word, address, address, address, address, number, address, address)

    @cached_property
    def _match_objects(self) -> Any:
        word, address = ctypes.c_uint32, ctypes.c_void_p
        code = load(self._write("match_objects"))
        return code.function(word, address, ctypes.c_uint64, address, address)

    @cached_property
    def _evaluate(self) -> Any:
        word, number = ctypes.c_uint32, ctypes.c_uint64
        code = load(self._write("evaluate"))
        return code.function(word, ctypes.c_char_p, number, word, word, ctypes.c_void_p)

    def _kept(self, entry: Entry) -> Code:
        """Code that is kept on disk; what it depends on is the program, and what the semantics asks the dialect."""
        dialect = self._dialect
        asked = f"{dialect.byte_order} {dialect.shift_count} {dialect.wrapping_offsets} {dialect.header_windows}"
        what = f"{entry} {asked} {dialect.record_size} {bytes(self._program).hex()}"
        return load_cached(what, lambda: self._write(entry))

    def _write(self, entry: Entry) -> str:
        """The module of an entry."""
        from . import entry_points as entries
        from .machine import filter_function

        text: str = getattr(entries, entry)(filter_function(self._program, self._dialect))
        return text
