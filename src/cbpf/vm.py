"""The virtual machine: verify a program under a dialect, then run it on packets with one of the engines.

Engines are imported when a VM first needs them, so that `from cbpf import VM` stays fast.
"""

from ._lazy import Lazy
from ._record import Immutable
from ._stdlib import suppress
from ._typing import TYPE_CHECKING, Any, Callable, Final, Iterable, Iterator, Protocol, overload
from ._validators import check_word, instance_of, one_of
from .engines.base import Engine, PerPacketEngine, choose_range_reader, llvm_is_installed, require_ctypes
from .errors import MissingLibrary
from .isa.dialects import PCAP, Dialect
from .isa.program import Instructions, Program
from .isa.verifier import verify

if TYPE_CHECKING:
    from array import array

    from ._options import VMEngineName
    from .engines.cuda.packets import DevicePackets
    from .engines.cuda.verdicts import DeviceVerdicts
    from .engines.interpreter import Step
    from .packet.batch import Packets
    from .packet.metadata import Metadata
    from .packet.skb import SocketBuffer

    class _CudaArray(Protocol):
        @property
        def __cuda_array_interface__(self) -> Any: ...


MAX_PYTHON_INSTRUCTIONS: Final = 20_000
"""The length of the longest program that "auto" compiles to Python; beyond it, compilation costs more than it saves."""
MIN_NATIVE_BATCH: Final = 100_000
"""The number of packets from which the llvm engine, including its start-up, is faster than the python engine."""


class _AutoEngine:
    """The engine "auto": the python engine or the interpreter for single packets, the llvm engine for large batches."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        create = _python if len(program) <= MAX_PYTHON_INSTRUCTIONS else _interpreter
        self._single = create(program, dialect)
        self._program = program
        self._dialect = dialect
        self.run = self._single.run
        self.evaluate = self._single.evaluate
        self.match = self._single.match

    @Lazy
    def _native_engine(self) -> Engine:
        return _llvm(self._program, self._dialect)

    @property
    def native(self) -> Any:
        """The machine code of `entry_points.match`, or None if llvmlite is not installed."""
        return self._native_engine.native if llvm_is_installed() else None

    def native_for_sockets(self, link_type: str) -> Any:
        """Return the machine code for the view of a live socket, or None; see `Engine`."""
        return self._native_engine.native_for_sockets(link_type) if llvm_is_installed() else None

    def native_columns(self, link_type: str | None = None) -> Any:
        """Return the machine code for columns of packets, or None; see `Engine`."""
        return self._native_engine.native_columns(link_type) if llvm_is_installed() else None

    def verdicts(self, packets: "Packets | Iterable[Any]") -> "array[int]":
        """Return the verdicts, computed by the llvm engine for large batches if it is available."""
        from .packet.batch import Packets

        batch = packets if isinstance(packets, Packets) else list(packets)
        if len(batch) >= MIN_NATIVE_BATCH:
            with suppress(MissingLibrary):
                return self._native_engine.verdicts(batch)
        return self._single.verdicts(batch)


def _interpreter(program: Program, dialect: Dialect) -> Engine:
    from .engines.interpreter import Interpreter

    return PerPacketEngine(Interpreter(program, dialect).run)


def _python(program: Program, dialect: Dialect) -> Engine:
    from .engines.python import compile_to_python

    return PerPacketEngine(compile_to_python(program, dialect))


def _llvm(program: Program, dialect: Dialect) -> Engine:
    require_ctypes("the engine 'llvm'", "use engine='python'")
    from .engines.llvm.engine import LLVMEngine

    return LLVMEngine(program, dialect)


def _cuda(program: Program, dialect: Dialect) -> Any:
    require_ctypes("the engine 'cuda'", "use engine='python'")
    from .engines.cuda.engine import CudaEngine

    return CudaEngine(program, dialect)


ENGINES: Final[dict[str, Callable[[Program, Dialect], Engine]]] = {
    "auto": _AutoEngine,
    "interpreter": _interpreter,
    "python": _python,
    "llvm": _llvm,
}
"""The engines for packets of captures, and of the memory of this machine, by name."""
_DEVICE_ENGINES: Final[dict[str, Callable[[Program, Dialect], Any]]] = {"cuda": _cuda}
"""The engines that also run batches in the memory of a device, by name."""


def check_engine(path: str, value: object) -> object:
    """Return the value if it is the name of an engine for packets of captures."""
    return one_of(*ENGINES)(path, value)


class VM(Immutable):
    """A verified program with an engine, which runs it on packets; the public class also compiles expressions."""

    program: Program
    """The program."""
    dialect: Dialect
    """The rules by which the program was verified."""
    engine: "VMEngineName"
    """The name of the engine."""
    _engine: Engine

    def __init__(
        self,
        program: Instructions,
        *,
        engine: "VMEngineName" = "auto",
        dialect: Dialect = PCAP,
    ) -> None:
        value = Program(program)
        name = one_of(*ENGINES, *_DEVICE_ENGINES)("VM.engine", engine)
        verify(value, dialect=dialect)
        create = ENGINES.get(engine) or _DEVICE_ENGINES[engine]
        self._set_once(program=value, dialect=dialect, engine=name, _engine=create(value, dialect))

    @Lazy
    def run(self) -> Callable[[Any], int]:
        """The function `run(packet)`, which returns the verdict on one packet: any contiguous buffer of bytes.

        `ld #len` loads the length of the buffer, and extension loads see the default metadata. The function is the
        engine's own, without a wrapper, and remains usable after the VM is deleted. It raises `PacketError` if the
        argument is not such a buffer, and no other exception.
        """
        return self._engine.run

    @Lazy
    def match(self) -> Callable[[Any, int], int]:
        """The function `match(packet, wire_length)`, which returns the verdict on a packet of a capture.

        It is the engine's own, without a wrapper, and does not check the wire length.
        """
        return self._engine.match

    @property
    def native_match(self) -> Any:
        """The machine code of `engines.llvm.entry_points.match` as a ctypes function; None if the engine has none.

        Its arguments are addresses, which are not checked: an invalid one ends the process.
        """
        return self._engine.native

    def native_match_for_sockets(self, link_type: str) -> Any:
        """Return machine code like `native_match` that runs on the view of a live socket (`socket_view`), or None.

        *link_type* is the name of the link type of the packets.
        """
        return self._engine.native_for_sockets(link_type)

    def native_columns(self, link_type: str | None = None) -> Any:
        """Return machine code for columns of packets, or None; see `engines.llvm.entry_points.match_columns`.

        With the name of a link type, it runs on the view of a live socket. Its arguments are not checked.
        """
        return self._engine.native_columns(link_type)

    def evaluate(self, packet: Any, *, metadata: "Metadata | None" = None, wire_length: int | None = None) -> int:
        r"""Return the verdict on a packet with its metadata and its original length.

        Args:
            packet: Any contiguous buffer of bytes.
            metadata: The values that extension loads and header windows read; by default those of a packet from
                an AF_UNIX datagram socket (`Metadata()`).
            wire_length: The packet's length in bytes, 0 to 2**32 - 1, before it was truncated to the bytes given;
                by default the number of these bytes.

        Returns:
            The verdict, 0 to 2**32 - 1.

        Raises:
            PacketError: *packet* is not a buffer of bytes.
            FieldError: *metadata* is not a `Metadata`, or *wire_length* is out of range.

        >>> from cbpf import LINUX, Metadata, parse
        >>> vm = VM(parse("ld #mark\njeq #7,0,1\nret #-1\nret #0"), dialect=LINUX)
        >>> vm.evaluate(b"any packet", metadata=Metadata(mark=7))
        4294967295
        """
        return self._engine.evaluate(*self._run_arguments(packet, metadata, wire_length))

    @overload
    def verdicts(self, packets: "DevicePackets | _CudaArray") -> "DeviceVerdicts": ...
    @overload
    def verdicts(self, packets: Any) -> "array[int]": ...
    def verdicts(self, packets: Any) -> "array[int] | DeviceVerdicts":
        """Return the verdict on each packet of a batch.

        The llvm engine releases the GIL, unless the batch takes only microseconds. It reads `Packets`, arrays, Arrow
        columns, and `bytes` objects of an iterable without a copy, and copies other buffers of an iterable first. The
        cuda engine reads packets on a device without a copy, and copies other packets to the current device.

        Args:
            packets: Any source that `Packets.of` accepts: `Packets` (with their wire lengths), an array, an Arrow
                column, or an iterable of buffers. For the engine "cuda", also `DevicePackets`, or the rows of a
                two-dimensional array of bytes on the current device, of any library (CuPy, torch, numba).

        Returns:
            An array of unsigned 32-bit numbers, one per packet, which supports the buffer protocol; for packets on a
            device, `DeviceVerdicts` there.

        Raises:
            PacketError: *packets*, or one of its items, is not of a supported type, or is in the memory of a device and
                the engine is not "cuda", or is not on the current device.
            MemoryError: The packets, or their copy on a device, need more memory than it has.
            MissingLibrary: The engine is "cuda", and a device or its driver is missing.

        >>> from cbpf import RetConstant
        >>> VM([RetConstant(0)]).verdicts([b"one", b"two"])
        array('I', [0, 0])
        """
        from .packet.batch import as_batch

        accepts_devices = self.engine == "cuda"
        return self._engine.verdicts(as_batch(packets, choose_range_reader, accepts_devices=accepts_devices))

    def trace(
        self, packet: Any, *, metadata: "Metadata | None" = None, wire_length: int | None = None
    ) -> "Iterator[Step]":
        """Return the steps of a run on one packet; the interpreter executes them, whichever engine the VM has.

        Args:
            packet: Any contiguous buffer of bytes.
            metadata: The values that extension loads and header windows read; by default `Metadata()`.
            wire_length: The packet's length in bytes before it was truncated, 0 to 2**32 - 1; by default the number
                of bytes given.

        Returns:
            An iterator of one `Step` per executed instruction; the last step has the verdict. It is empty if the
            packet is shorter than the dialect's record.

        Raises:
            PacketError: *packet* is not a buffer of bytes.
            FieldError: *metadata* is not a `Metadata`, or *wire_length* is out of range.
        """
        from .engines.interpreter import Interpreter

        arguments = self._run_arguments(packet, metadata, wire_length)
        return Interpreter(self.program, self.dialect).trace(*arguments)

    def _run_arguments(
        self, packet: Any, metadata: "Metadata | None", wire_length: int | None
    ) -> "tuple[Any, int | None, SocketBuffer | None]":
        """Return the checked arguments of `RunFunction`."""
        if wire_length is not None:
            wire_length = check_word("wire_length", wire_length)
        if metadata is None:
            return packet, wire_length, None
        from .packet.metadata import Metadata
        from .packet.packet_bytes import as_packet
        from .packet.skb import SocketBuffer

        instance_of(Metadata)("metadata", metadata)
        data = as_packet(packet)
        return data, wire_length, SocketBuffer(data, metadata, header_windows=self.dialect.header_windows)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.program, self.engine, self.dialect)

    def __repr__(self) -> str:
        return f"<VM of {len(self.program)} instructions, {self.dialect.name}, engine {self.engine}>"


def _restore(cls: type[VM], program: Program, engine: "VMEngineName", dialect: Dialect) -> VM:
    """Return a pickled VM; the `__init__` of a subclass may have other parameters, and is not called."""
    machine = cls.__new__(cls)
    VM.__init__(machine, program, engine=engine, dialect=dialect)
    return machine
