"""eBPF programs of `cbpf.emit`, loaded into the running kernel and compared with the VM."""

from collections.abc import Iterable

from .._record import Record
from .._text import Readable, counted
from .._typing import TYPE_CHECKING, Final
from ..backends.ebpf.elf import instructions_in
from ..backends.ebpf.hooks import HOOKS, Hook
from ..errors import FieldError
from ..facade.arguments import LinkTypeName, ProgramSource, as_program
from ..facade.emission import emit
from ..isa.dialects import PCAP, Dialect
from ..isa.enumerations import Extension, extension_of
from ..isa.opcodes import OPCODE_BY_CODE
from ..isa.program import Program
from ..packet.metadata import Metadata
from ..packet.packet_bytes import as_packet
from ..vm import VM
from .bpf_calls import LoadedProgram

if TYPE_CHECKING:
    from .._options import AcceptedFate, EbpfTarget

_LINK_HEADER_SIZE: Final = 14
"""The bytes of a test run that a program of a socket does not see."""


_WITHOUT_HEADERS: Final = Metadata(network_header=0xFFFF)
_OF_SOCKET: Final = Metadata(link_header=-_LINK_HEADER_SIZE, before=bytes(_LINK_HEADER_SIZE))


class EbpfDifference(Record):
    """A packet on which the kernel and the VM differ.

    Args:
        number: The position of the packet, counted from 1.
        expected: The result that represents the verdict of the VM.
        actual: The result of the kernel.
    """

    number: int
    expected: int
    actual: int


class EbpfCheck(Record, Readable):
    """The result of `check_ebpf`. `str` returns it as text.

    Args:
        classic_instructions: The number of instructions of the program.
        instructions: The number of eBPF instructions.
        packets: The number of packets that were compared.
        omitted: The number of packets on which the kernel runs no program: the shortest ones.
        is_comparable: Whether packets were compared; not if the program loads metadata or random numbers.
        differences: The differences.
    """

    classic_instructions: int
    instructions: int
    packets: int
    omitted: int
    is_comparable: bool
    differences: tuple[EbpfDifference, ...]

    def __str__(self) -> str:
        ratio = self.instructions / self.classic_instructions
        lines = [f"loaded: {counted(self.instructions, 'eBPF instruction')}, {ratio:.1f} for each classic one"]
        if not self.is_comparable:
            lines.append("not compared with the VM: the program loads metadata")
        elif self.packets:
            compared = counted(self.packets, "packet")
            different = len(self.differences)
            lines.append(f"{compared}: {different or 'no'} result{'' if different == 1 else 's'} differ from the VM")
            lines += [
                f"packet {each.number}: the kernel returns {each.actual}, expected {each.expected}"
                for each in self.differences[:1]
            ]
        if self.omitted:
            lines.append(f"{counted(self.omitted, 'packet')} too short for a test run of the kernel")
        return "\n".join(lines)


def check_ebpf(
    program: ProgramSource,
    packets: Iterable[bytes] = (),
    *,
    target: "EbpfTarget" = "ebpf-xdp",
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    accept: "AcceptedFate" = "pass",
) -> EbpfCheck:
    """Load the eBPF program that `cbpf.emit` writes into the running kernel, and compare it with the VM on packets.

    The kernel runs the program by BPF_PROG_TEST_RUN; nothing is attached to an interface or a socket.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        packets: The packets, from the first byte of the link header on for "ebpf-xdp" and "ebpf-tc".
        target: "ebpf-xdp", "ebpf-tc" or "ebpf-socket".
        link_type: The link type for an expression.
        dialect: The dialect whose rules verify the program, and whose meaning it has.
        accept: The fate of the packets that the program accepts, as for `emit`.

    Returns:
        The sizes of both programs, and the packets for which the results differ.

    Raises:
        EbpfError: The kernel rejects the program, or this process must not load it. Its `log` is that of the verifier.
        FieldError: An argument is invalid.
        MissingLibrary: llvmlite is not installed.
        ProgramFormatError: The hook lacks an extension that the program loads.
        VerificationError: The dialect rejects the program.
    """
    if target not in HOOKS:
        raise FieldError(f"check_ebpf.target: {target!r} is not one of {', '.join(HOOKS)}")
    value, hook = Program(as_program(program, link_type=link_type, dialect=dialect)), HOOKS[target]
    object_file = emit(value, target=target, dialect=dialect, accept=accept)
    with LoadedProgram(instructions_in(object_file, hook.section), hook.program_type) as loaded:
        comparable = not _loads_metadata(value)
        comparison = _Comparison(VM(value, dialect=dialect), hook, accept)
        for number, packet in enumerate(packets if comparable else (), 1):
            comparison.compare(number, bytes(as_packet(packet)), loaded)
    return EbpfCheck(
        len(value),
        loaded.instructions,
        comparison.packets,
        comparison.omitted,
        comparable,
        tuple(comparison.differences),
    )


class _Comparison:
    """The comparison of a loaded program with a VM, packet by packet."""

    def __init__(self, vm: VM, hook: Hook, accept: "AcceptedFate") -> None:
        self._vm = vm
        self._hook = hook
        self._accept: AcceptedFate = accept
        self._before = b"" if hook.results else bytes(_LINK_HEADER_SIZE)
        self._metadata = _WITHOUT_HEADERS if hook.results else _OF_SOCKET
        self.packets = self.omitted = 0
        self.differences: list[EbpfDifference] = []

    def compare(self, number: int, packet: bytes, loaded: LoadedProgram) -> None:
        """Run a packet in the kernel and in the VM."""
        actual = loaded.run(self._before + packet)
        if actual is None:
            self.omitted += 1
            return
        self.packets += 1
        verdict = self._vm.evaluate(packet, metadata=self._metadata)
        expected = self._hook.result(verdict, self._accept)
        if actual != expected:
            self.differences.append(EbpfDifference(number, expected, actual))


def _loads_metadata(program: Program) -> bool:
    """Return whether a program loads an extension whose value is not a function of the packet."""
    extensions = {extension_of(OPCODE_BY_CODE[raw.op], raw.k) for raw in program}
    return bool(extensions - {None, Extension.LEN, Extension.XOR_X})
