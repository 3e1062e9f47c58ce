# For type checkers and editors: what `__init__.py` imports when it is asked for.

from .capture.container import Interface
from .capture.plain import write_capture
from .capture.reader import CaptureReader, Packet, read_capture
from .capture.survey import CaptureInfo, InterfaceInfo, PacketTotals, capture_info
from .choices import Direction, EngineName, Goal, Optimizer
from .covering import Case, cases
from .dialects import DIALECTS, LINUX, PCAP, SECCOMP, Dialect
from .drawing.graph import Graph, graph
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
from .expression import DEFAULT_SNAPLEN, compile, hosts, ports
from .filtering import compile_for_capture, filter_capture, split_capture
from .flow.blocks import Block, Edge
from .flow.counting import ExecutionCounts, execution_counts
from .flow.facts import Facts, PacketLoad
from .flow.flow import Flow
from .flow.knowledge import Known
from .flow.statistics import ProgramInfo, program_info
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
from .lists import Expression, HostRanges, read_hosts, read_ports
from .metadata import Device, Metadata, VlanTag
from .optimizer.pipeline import Stage, optimization_stages, optimize
from .packets import Packets
from .program import Program
from .reachability import DeadCode, Witness, dead, witness
from .savefile import Savefile
from .socket_views import SocketView, socket_view, with_tag
from .summary import Summary
from .verifier import findings, verify
from .vm import VM

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
    "Block",
    "CaptureError",
    "CaptureInfo",
    "CaptureReader",
    "Case",
    "CbpfError",
    "DamagedCapture",
    "DeadCode",
    "Device",
    "Dialect",
    "Difference",
    "Direction",
    "Edge",
    "EngineName",
    "ExecutionCounts",
    "Expression",
    "ExpressionError",
    "ExpressionWarning",
    "Extension",
    "Facts",
    "Fetched",
    "FieldError",
    "Finding",
    "Flow",
    "Goal",
    "Graph",
    "HostRanges",
    "Instruction",
    "Interface",
    "InterfaceInfo",
    "Jump",
    "JumpIf",
    "JumpIfX",
    "JumpTest",
    "Known",
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
    "Optimizer",
    "Packet",
    "PacketError",
    "PacketLoad",
    "PacketTotals",
    "Packets",
    "Problem",
    "Program",
    "ProgramFormatError",
    "ProgramInfo",
    "ProofFailed",
    "RawInstruction",
    "Register",
    "RetA",
    "RetConstant",
    "Savefile",
    "Setter",
    "SocketView",
    "Stage",
    "Step",
    "StoreScratch",
    "Summary",
    "TypedInstruction",
    "Undecided",
    "VerificationError",
    "VlanTag",
    "Witness",
    "assemble",
    "capture_info",
    "cases",
    "compile",
    "compile_for_capture",
    "dead",
    "difference",
    "disassemble",
    "equivalent",
    "execution_counts",
    "filter_capture",
    "findings",
    "graph",
    "hosts",
    "implies",
    "link_type",
    "listing",
    "optimization_stages",
    "optimize",
    "parse",
    "ports",
    "program_info",
    "read_capture",
    "read_hosts",
    "read_ports",
    "render",
    "render_bytes",
    "socket_view",
    "split_capture",
    "verify",
    "with_tag",
    "witness",
    "write_capture",
]
