"""The llvm engine: words are values of LLVM IR, and the program becomes a function of machine code.

`machine` writes the function of a program as text, `entry_points` add the functions that call it, and `jit` compiles
and loads them. Each entry point is compiled when it is first used; those for batches are cached on disk.
"""

import ctypes
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial

from ..._lazy import Lazy
from ..._typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from ...isa.dialects import Dialect
from ...isa.opcodes import CODE_OF, WORD_MASK, Action, Operand
from ...isa.program import Program
from ...packet.batch import Columns, Packets, columns_of
from ...packet.buffers import address_of
from ...packet.packet_bytes import as_packet
from ...packet.skb import SocketBuffer
from . import object_layout
from .compiler import require_llvmlite
from .context import PacketContext, context_for, default_context, draws_numbers, needs_callback, raise_interruption
from .jit import Code, load, load_cached

if TYPE_CHECKING:
    from .machine import MakeMachine

EntryPoint: TypeAlias = Literal["evaluate", "match", "match_columns", "match_objects", "match_ranges"]
"""The name of a function of `entry_points`."""

_WORD, _SIZE, _ADDRESS = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
_SIGNATURES: Final[dict[EntryPoint, tuple[Any, ...]]] = {
    "evaluate": (_WORD, ctypes.c_char_p, _SIZE, _WORD, _WORD, _ADDRESS),
    "match": (_WORD, _ADDRESS, _SIZE, _ADDRESS, _ADDRESS),
    "match_columns": (_WORD, *[_ADDRESS] * 6, _SIZE, _ADDRESS, _ADDRESS),
    "match_ranges": (_WORD, *[_ADDRESS] * 4, _SIZE, _ADDRESS, _ADDRESS),
}
"""The types of the result and of the arguments of the functions that are called through ctypes."""

_RETURN_CONSTANT: Final = CODE_OF[Action.RETURN, Operand.K, 4]
_MAX_CONSTANTS: Final = 8
"""The number of constants, those that most instructions return, for which `run` has objects."""
_MAX_INSTRUCTIONS_WITH_GIL: Final = 50_000
"""The number of instructions, about 50 us, for which a batch does not release the GIL.

A thread that releases the GIL while other threads wait for it gets it back after their switch interval: 5 ms.
"""


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

    _variant: str = ""
    """The beginning of the keys of its code in the cache; classes with other machines have others."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self._program = program
        self._dialect = dialect
        self._functions: dict[tuple[EntryPoint, str | None], Any] = {}
        require_llvmlite()

    @property
    def run(self) -> Callable[[Any], int]:
        """A builtin function that returns the verdict on one packet and owns its code.

        In two cases it is `evaluate` instead, which calls the code through ctypes and returns equal verdicts: if the
        program calls Python for an extension, since a builtin could not raise an exception of the callback (such as
        KeyboardInterrupt), and if the interpreter does not have the object layout on which a builtin relies.
        """
        if self._calls_python or not object_layout.is_supported():
            return self.evaluate
        from . import builtin_code
        from .machine import filter_function
        from .pycfunction import make_run

        returned = Counter(raw.k for raw in self._program if raw.op == _RETURN_CONSTANT)
        constants = [constant for constant, _ in returned.most_common(_MAX_CONSTANTS)]
        code = load(builtin_code.run(filter_function(self._program, self._dialect), constants))
        return make_run(code, self.context(), constants)

    def evaluate(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int:
        """Return the verdict on a packet; see `RunFunction`."""
        data = as_packet(packet)
        memory = data if buffer is None else buffer.memory
        if type(memory) is not bytes:
            memory = memoryview(memory).tobytes()
        context = self.context(buffer)
        captured = len(data)
        wire = captured if wire_length is None else wire_length
        verdict: int = self._evaluate(
            memory, len(memory), captured & WORD_MASK, wire & WORD_MASK, ctypes.byref(context)
        )
        raise_interruption()
        return verdict

    def verdicts(self, packets: Packets | Iterable[Any]) -> "array[int]":
        """Return the verdicts on many packets; the GIL is released while the code runs, unless they are few."""
        context = self._shared_context or self.context()
        try:
            if type(packets) is Packets:  # its ranges were checked; those of an object that resembles one were not
                return self._verdicts_of_ranges(columns_of(packets), context)
            return self._verdicts_of_iterable(packets, context)
        finally:
            if self._calls_python:
                raise_interruption()

    def _verdicts_of_iterable(self, packets: Iterable[Any], context: PacketContext) -> "array[int]":
        objects = tuple(packets)
        verdicts = self._verdicts_of_objects(objects, context)
        if verdicts is None:
            objects = tuple([item if type(item) is bytes else bytes(as_packet(item)) for item in objects])
            verdicts = self._verdicts_of_objects(objects, context)
            assert verdicts is not None
        return verdicts

    def context(self, buffer: SocketBuffer | None = None) -> PacketContext:
        """Return the context of one run on *buffer*, or of any number of runs with the default metadata."""
        return default_context() if buffer is None else context_for(buffer)

    @Lazy
    def _calls_python(self) -> bool:
        return needs_callback(self._program)

    @Lazy
    def _shared_context(self) -> PacketContext | None:
        """The context of all batches; None if each needs its own, since the program draws numbers or calls Python."""
        return None if self._calls_python or draws_numbers(self._program) else self.context()

    @Lazy
    def _min_released(self) -> int:
        """The number of packets for which a batch releases the GIL."""
        return max(_MAX_INSTRUCTIONS_WITH_GIL // len(self._program), 1)

    @Lazy
    def _verdicts_of_ranges(self) -> Callable[[Columns, PacketContext], "array[int]"]:
        """The function of (columns, context): a builtin, or, where builtins are not supported, one through ctypes."""
        code = self._load_cached("match_ranges")
        if object_layout.is_supported():
            from .pycfunction import make_verdicts

            return make_verdicts("verdicts_of_ranges", code, self._min_released)
        function = code.function(*_SIGNATURES["match_ranges"])
        return partial(_call_through_ctypes, function)

    @Lazy
    def _verdicts_of_objects(self) -> Callable[[tuple[Any, ...], PacketContext], "array[int] | None"]:
        """The function of (objects, context); its result is None if one of the objects is not of the type `bytes`."""
        if object_layout.is_supported():
            from .pycfunction import make_verdicts

            return make_verdicts("verdicts_of_objects", load(self._module_text("match_objects")), self._min_released)
        of_ranges = self._verdicts_of_ranges
        return lambda objects, context: of_ranges(columns_of(Packets.of(objects)), context)

    def match(self, packet: Any, wire_length: int) -> int:
        """Return the verdict on a packet of a capture.

        It calls the entry point for many packets: callers of `match` usually run the filter on many packets later, for
        which the code is then compiled already.
        """
        data = packet if type(packet) is bytes else bytes(as_packet(packet))
        row, verdict = _PacketRow(data, len(data), wire_length), ctypes.c_uint32()
        self.native(ctypes.byref(row), 1, ctypes.byref(verdict), ctypes.byref(self.context()))
        raise_interruption()
        return verdict.value

    @Lazy
    def native(self) -> Any:
        """The code of `entry_points.match` as a ctypes function; cached on disk, since it filters captures."""
        return self._native_function("match")

    def native_for_sockets(self, link_type: str) -> Any:
        """Return the code of `entry_points.match` that runs on the view of `socket_view`; see `Engine`."""
        return self._native_function("match", link_type)

    def native_columns(self, link_type: str | None = None) -> Any:
        """Return the code of `entry_points.match_columns`, or None; see `Engine`."""
        return self._native_function("match_columns", link_type)

    def _native_function(self, entry_point: EntryPoint, link_type: str | None = None) -> Any:
        """Return the code of an entry point as a ctypes function; with *link_type*, for the view of `socket_view`.

        Return None if the view is not the packet itself and the program computes an extension in Python.
        """
        if link_type is not None:
            from .socket_machine import SOCKET_MACHINES

            if link_type not in SOCKET_MACHINES:
                link_type = None  # the view is the packet itself
            elif self._calls_python:
                return None
        key = entry_point, link_type
        if key not in self._functions:
            self._functions[key] = self._load_cached(*key).function(*_SIGNATURES[entry_point])
        return self._functions[key]

    @Lazy
    def _evaluate(self) -> Any:
        return load(self._module_text("evaluate")).function(*_SIGNATURES["evaluate"])

    def _load_cached(self, entry_point: EntryPoint, socket_link_type: str | None = None) -> Code:
        """Load an entry point, from the disk cache if possible.

        With *socket_link_type*, the filter runs on the view of a live packet socket. The key consists of everything
        that the code depends on: the program, and the properties of the dialect that the semantics uses.
        """
        dialect = self._dialect
        properties = f"{dialect.byte_order} {dialect.shift_count} {dialect.wrapping_offsets} {dialect.header_windows}"
        view = "" if socket_link_type is None else f"as a socket sees {socket_link_type} "
        code = f"{self._variant}{entry_point} {view}"
        key = f"{code}{properties} {dialect.record_size} {bytes(self._program).hex()}"
        return load_cached(key, lambda: self._module_text(entry_point, socket_link_type))

    def _module_text(self, entry_point: EntryPoint, socket_link_type: str | None = None) -> str:
        """Return the LLVM IR of an entry point."""
        from . import entry_points
        from .machine import filter_function

        filter = filter_function(self._program, self._dialect, self._machine(socket_link_type))
        text: str = getattr(entry_points, entry_point)(filter)
        return text

    def _machine(self, socket_link_type: str | None) -> "MakeMachine":
        """Return the constructor of the machine that writes the function of the program."""
        if socket_link_type is None:
            from .machine import LLVMMachine

            return LLVMMachine
        from .socket_machine import SOCKET_MACHINES

        return SOCKET_MACHINES[socket_link_type]


def _call_through_ctypes(function: Any, columns: Columns, context: PacketContext) -> "array[int]":
    """Call the code of `entry_points.match_ranges`."""
    count = len(columns[1])
    verdicts = array("I", bytes(4 * count))
    with ExitStack() as stack:
        addresses = [stack.enter_context(address_of(column)) for column in columns]
        function(*addresses, count, verdicts.buffer_info()[0], ctypes.byref(context))
    return verdicts
