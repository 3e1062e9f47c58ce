"""VM: verifies a program under its dialect, then runs it on packets with the engine of your choice."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, TypeAlias

from .dialects import PCAP, Dialect
from .engines.interpreter import Interpreter, Step, interpret
from .engines.run import Run
from .fields import check_word, instance_of, one_of
from .metadata import Metadata
from .packets import as_packet
from .program import Instructions, Program
from .socket_buffer import SocketBuffer
from .verifier import verify

EngineName: TypeAlias = Literal["auto", "interpreter", "python"]


_LONGEST_COMPILED: Final = 20_000  # instructions; beyond, compiling costs more time and memory than it saves


def _auto(program: Program, dialect: Dialect) -> Run:
    return (_python if len(program) <= _LONGEST_COMPILED else interpret)(program, dialect)


def _python(program: Program, dialect: Dialect) -> Run:
    from .engines.python import compile_to_python

    return compile_to_python(program, dialect)


ENGINES: Final[dict[str, Callable[[Program, Dialect], Run]]] = {
    "auto": _auto,
    "interpreter": interpret,
    "python": _python,
}


check_engine: Final = one_of(*ENGINES)
_check_metadata: Final = instance_of(Metadata)


class VM:
    """A verified program, ready to run.

    The verdict is the unsigned 32-bit number that the program returns, never clipped: 0 rejects the packet,
    n > 0 keeps it (a socket keeps n bytes of it, a capture filter the whole). No bytes make a run raise.

    *engine* is "interpreter" (the reference), "python" (compiled to Python source, and much faster), or "auto":
    python, but for programs of more than 20,000 instructions. Raises `VerificationError` with all findings if
    *dialect* refuses the program.

    >>> from cbpf import JumpIf, JumpTest, LoadAbsolute, RetConstant
    >>> arp = VM([LoadAbsolute(12, 2), JumpIf(JumpTest.NOT_EQUAL, 0x0806, 1), RetConstant(4096), RetConstant(0)])
    >>> arp.run(bytes.fromhex("ffffffffffff 020000000001 0806"))
    4096
    >>> arp.run(b"short")
    0
    """

    match: Callable[[Any, int], int]
    """The verdict on one packet of a capture, given with its wire length: an unsigned 32-bit number, unchecked."""

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
        self._run = self.match = ENGINES[engine](self.program, dialect)
        self.__dict__["run"] = self._run  # the engine's own function, without a call in between

    def run(self, packet: Any, /) -> int:
        """The verdict on one packet: any contiguous buffer of bytes. `ld #len` gives its length.

        Raises `PacketError` for what is no such buffer, and nothing else.
        """
        return self._run(packet)

    def evaluate(self, packet: Any, *, metadata: Metadata | None = None, wire_length: int | None = None) -> int:
        """The verdict on a packet of which more is known than its bytes.

        *wire_length* is the length that it had before it was cut to the bytes given; by default it has all.
        *metadata* is what extension loads and header windows see; by default that of an AF_UNIX datagram.
        """
        return self._run(*self._circumstances(packet, metadata, wire_length))

    def verdicts(self, packets: Iterable[Any]) -> "array[int]":
        """The verdict on each packet, as an array of unsigned 32-bit numbers."""
        return array("I", map(self.run, packets))

    def trace(self, packet: Any, *, metadata: Metadata | None = None, wire_length: int | None = None) -> Iterator[Step]:
        """Every step of a run on one packet, always by the interpreter; the last step has the verdict."""
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
