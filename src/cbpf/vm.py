"""VM: verifies a program under its dialect, then runs it on packets with the engine of your choice."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

from ._options import EngineName
from ._validators import check_word, instance_of, one_of
from .engines.base import Engine, PerPacketEngine
from .errors import MissingLibrary
from .isa.dialects import PCAP, Dialect
from .isa.program import Instructions, Program
from .isa.verifier import verify
from .packet.batch import Packets, as_batch, as_packet
from .packet.metadata import Metadata
from .packet.skb import SocketBuffer

if TYPE_CHECKING:
    from .engines.interpreter import Step


_LONGEST_IN_PYTHON: Final = 20_000  # instructions; beyond, compiling costs more time and memory than it saves
MANY: Final = 100_000
"""The number of packets from which the native engine, its start-up included, is the faster one."""


class _Auto:
    """The python engine for single packets; for many at once the native one, if it is installed."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        make = _python if len(program) <= _LONGEST_IN_PYTHON else _interpreter
        self._single = make(program, dialect)
        self._many = cache(lambda: _llvm(program, dialect))
        self.run = self._single.run
        self.evaluate = self._single.evaluate
        self.match = self._single.match

    @property
    def native(self) -> Any:
        """See `Engine`: if llvm is installed."""
        return self._many().native if llvm_is_installed() else None

    def verdicts(self, packets: Packets | Iterable[Any]) -> "array[int]":
        counted = packets if isinstance(packets, Packets) else list(packets)
        if len(counted) >= MANY:
            with suppress(MissingLibrary):
                return self._many().verdicts(counted)
        return self._single.verdicts(counted)


def llvm_is_installed() -> bool:
    """Whether the engine "llvm" can be had."""
    from .engines.llvm.jit import is_installed

    return is_installed()


def _interpreter(program: Program, dialect: Dialect) -> Engine:
    from .engines.interpreter import Interpreter

    return PerPacketEngine(Interpreter(program, dialect).run)


def _python(program: Program, dialect: Dialect) -> Engine:
    from .engines.python import compile_to_python

    return PerPacketEngine(compile_to_python(program, dialect))


def _llvm(program: Program, dialect: Dialect) -> Engine:
    from .engines.llvm.engine import LLVMEngine

    return LLVMEngine(program, dialect)


ENGINES: Final[dict[str, Callable[[Program, Dialect], Engine]]] = {
    "auto": _Auto,
    "interpreter": _interpreter,
    "python": _python,
    "llvm": _llvm,
}


check_engine: Final = one_of(*ENGINES)
_check_metadata: Final = instance_of(Metadata)


class VM:
    """A verified program, ready to run.

    The verdict is the unsigned 32-bit number that the program returns, never clipped: 0 rejects the packet,
    n > 0 keeps it (a socket keeps n bytes of it, a capture filter the whole). No bytes make a run raise.

    *engine* is "interpreter" (the reference), "python" (compiled to Python source, and much faster), "llvm" (machine
    code; needs the extra `llvm`, else `MissingLibrary`), or "auto": python for single packets (interpreter for
    programs of more than 20,000 instructions), and llvm, if it is there, for 100,000 packets or more in one call of
    `verdicts`. Raises `VerificationError` with all findings if *dialect* refuses the program.

    >>> from cbpf import JumpIf, JumpTest, LoadAbsolute, RetConstant
    >>> arp = VM([LoadAbsolute(12, 2), JumpIf(JumpTest.NOT_EQUAL, 0x0806, 1), RetConstant(4096), RetConstant(0)])
    >>> arp.run(bytes.fromhex("ffffffffffff 020000000001 0806"))
    4096
    >>> arp.run(b"short")
    0
    """

    def __init__(
        self,
        program: Instructions,
        *,
        engine: EngineName = "auto",
        dialect: Dialect = PCAP,
    ) -> None:
        self.program = Program(program)
        self.dialect = dialect
        self.engine = check_engine("VM.engine", engine)
        verify(self.program, dialect=dialect)
        self._engine = ENGINES[engine](self.program, dialect)

    @cached_property
    def run(self) -> Callable[[Any], int]:
        """The function `run(packet)`: the verdict on one packet, any contiguous buffer; `ld #len` gives its length.

        It is the engine's own function, without a call in between, and may outlive the VM. It raises `PacketError` for
        what is no such buffer, and nothing else.
        """
        return self._engine.run

    @cached_property
    def match(self) -> Callable[[Any, int], int]:
        """The function `match(packet, wire_length)` for packets of a capture: unchecked, without a call in between."""
        return self._engine.match

    @property
    def native_match(self) -> Any:
        """The machine code for many packets of a capture (`engines.entries.match`), or None without the llvm engine."""
        return self._engine.native

    def evaluate(self, packet: Any, *, metadata: Metadata | None = None, wire_length: int | None = None) -> int:
        """The verdict on a packet of which more is known than its bytes.

        *wire_length* is the length that it had before it was cut to the bytes given; by default it has all.
        *metadata* is what extension loads and header windows see; by default that of an AF_UNIX datagram.
        """
        return self._engine.evaluate(*self._circumstances(packet, metadata, wire_length))

    def verdicts(self, packets: Any) -> "array[int]":
        """The verdict on each packet, as an array of unsigned 32-bit numbers (itself a buffer).

        *packets* is whatever `Packets.of` takes: `Packets`, whose wire lengths count, an array, or any iterable of
        buffers. The llvm engine releases the GIL and reads all of them, and `bytes` in an iterable, where they lie;
        other buffers in an iterable are copied first.

        >>> from cbpf import RetConstant
        >>> VM([RetConstant(0)]).verdicts([b"one", b"two"])
        array('I', [0, 0])
        """
        return self._engine.verdicts(as_batch(packets))

    def trace(
        self, packet: Any, *, metadata: Metadata | None = None, wire_length: int | None = None
    ) -> "Iterator[Step]":
        """Every step of a run on one packet, always by the interpreter; the last step has the verdict."""
        from .engines.interpreter import Interpreter

        circumstances = self._circumstances(packet, metadata, wire_length)
        return Interpreter(self.program, self.dialect).trace(*circumstances)

    def _circumstances(
        self, packet: Any, metadata: Metadata | None, wire_length: int | None
    ) -> tuple[Any, int | None, SocketBuffer | None]:
        if wire_length is not None:
            wire_length = check_word("wire_length", wire_length)
        if metadata is None:
            return packet, wire_length, None
        _check_metadata("metadata", metadata)
        data = as_packet(packet)
        return data, wire_length, SocketBuffer(data, metadata, header_windows=self.dialect.header_windows)

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (self.program, self.engine, self.dialect)

    def __repr__(self) -> str:
        return f"<VM of {len(self.program)} instructions, {self.dialect.name}, engine {self.engine}>"


def _make(program: Program, engine: EngineName, dialect: Dialect) -> VM:
    return VM(program, engine=engine, dialect=dialect)
