# For type checkers and editors: what `__init__.py` imports when it is asked for.

from .capture.container import Interface
from .capture.reader import CaptureReader, Packet, read_capture
from .capture.survey import CaptureInfo, InterfaceInfo, PacketTotals, capture_info
from .dialects import DIALECTS, LINUX, PCAP, SECCOMP, Dialect
from .engines.interpreter import Fetched, Step
from .equivalence import Difference, difference, equivalent, implies
from .errors import (
    CaptureError,
    CbpfError,
    DamagedCapture,
    ExpressionError,
    ExpressionWarning,
    FieldError,
    Finding,
    MissingLibrary,
    PacketError,
    Problem,
    ProgramFormatError,
    ProofFailed,
    Undecided,
    VerificationError,
)
from .expression import DEFAULT_SNAPLEN, Optimizer, compile
from .filtering import compile_for_capture, filter_capture, split_capture
from .formats import FORMAT_NAMES, parse, render, render_bytes
from .instructions import (
    TAX,
    TXA,
    ALUOpConstant,
    ALUOpX,
    Instruction,
    Jump,
    JumpIf,
    JumpIfX,
    LoadAbsolute,
    LoadConstant,
    LoadExtension,
    LoadIndirect,
    LoadMemShift,
    LoadScratch,
    NegateA,
    RawInstruction,
    RetA,
    RetConstant,
    Setter,
    StoreScratch,
    TypedInstruction,
    assemble,
    disassemble,
)
from .isa import ALUOp, Extension, JumpTest, Register
from .link_types import LinkType, link_type
from .listings import listing
from .lists import Direction, Expression, HostRanges, read_hosts, read_ports
from .metadata import Device, Metadata, VlanTag
from .optimizer import Goal, Stage, optimization_stages, optimize
from .packets import Packets
from .program import Program
from .savefile import Savefile
from .socket_views import SocketView, socket_view, with_tag
from .summary import Summary
from .verifier import findings, verify
from .vm import VM, EngineName

__version__: str

__all__ = [
    "DEFAULT_SNAPLEN",
    "DIALECTS",
    "FORMAT_NAMES",
    "LINUX",
    "PCAP",
    "SECCOMP",
    "TAX",
    "TXA",
    "VM",
    "ALUOp",
    "ALUOpConstant",
    "ALUOpX",
    "CaptureError",
    "CaptureInfo",
    "CaptureReader",
    "CbpfError",
    "DamagedCapture",
    "Device",
    "Dialect",
    "Difference",
    "EngineName",
    "ExpressionError",
    "ExpressionWarning",
    "Extension",
    "Fetched",
    "FieldError",
    "Finding",
    "Instruction",
    "Interface",
    "InterfaceInfo",
    "Jump",
    "JumpIf",
    "JumpIfX",
    "JumpTest",
    "LinkType",
    "LoadAbsolute",
    "LoadConstant",
    "LoadExtension",
    "LoadIndirect",
    "LoadMemShift",
    "LoadScratch",
    "Metadata",
    "MissingLibrary",
    "NegateA",
    "Packet",
    "PacketError",
    "PacketTotals",
    "Packets",
    "Problem",
    "Program",
    "ProgramFormatError",
    "RawInstruction",
    "Register",
    "RetA",
    "RetConstant",
    "Savefile",
    "Setter",
    "SocketView",
    "Step",
    "StoreScratch",
    "Summary",
    "TypedInstruction",
    "Undecided",
    "VerificationError",
    "VlanTag",
    "assemble",
    "capture_info",
    "compile",
    "compile_for_capture",
    "difference",
    "disassemble",
    "equivalent",
    "filter_capture",
    "findings",
    "implies",
    "link_type",
    "listing",
    "parse",
    "read_capture",
    "render",
    "render_bytes",
    "socket_view",
    "split_capture",
    "verify",
    "with_tag",
]
