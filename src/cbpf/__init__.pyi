# For type checkers and editors: the names that `__init__.py` imports at their first use.

from ._options import FORMAT_NAMES, Direction, EngineName, FrontEnd, Goal, Optimizer
from ._output import write_file
from .analysis.abstract_state import Facts, PacketLoad
from .analysis.abstract_value import Known
from .analysis.cfg import Block, Edge
from .analysis.flow import Flow
from .analysis.index_ranges import format_ranges
from .analysis.profile import ExecutionCounts, execution_counts
from .analysis.program_info import ProgramInfo, program_info
from .capture.base import Interface
from .capture.info import CaptureInfo, InterfaceInfo, PacketTotals, capture_info
from .capture.reader import CaptureReader, Packet, read_capture
from .capture.write import write_capture
from .drawing.graph import Graph, graph
from .engines.interpreter import Fetched, Step
from .errors import (
    CaptureError,
    CbpfError,
    DamagedCapture,
    ExpressionError,
    ExpressionWarning,
    FieldError,
    Finding,
    LinkTypeError,
    MissingLibrary,
    PacketError,
    Problem,
    ProgramFormatError,
    ProofFailed,
    Undecided,
    VerificationError,
)
from .expression.address_lists import Expression, HostRanges, read_expression, read_hosts, read_ports
from .expression.compiler import DEFAULT_SNAPLEN, compile, hosts, ports
from .expression.explaining.coverage import ClauseCoverage, clause_coverage
from .expression.explaining.source_map import MappedClause, SourceMap, source_map
from .expression.explaining.verdict import (
    ByteChange,
    ExplainedPart,
    PacketChange,
    VerdictExplanation,
    explain_verdict,
)
from .expression.formatting import format_expression
from .expression.linting.findings import LintFinding
from .expression.linting.linter import lint_expression
from .expression.names import Resolver, SystemResolver
from .expression.syntax_tree import Span
from .expression.tree_text import tree_listing
from .filtering.api import compile_for_capture, filter_capture, split_capture
from .filtering.capture_programs import CapturePrograms
from .filtering.summary import Summary
from .formats.conversion import parse, render, render_bytes
from .formats.savefile import Savefile
from .isa.dialects import DIALECTS, LINUX, PCAP, SECCOMP, Dialect
from .isa.encoding import Setter, assemble, disassemble
from .isa.instructions import (
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
    StoreScratch,
    TypedInstruction,
)
from .isa.listing import listing
from .isa.opcodes import ALUOp, Extension, JumpTest, Register
from .isa.program import Program
from .isa.verdicts import describe_verdict
from .isa.verifier import findings, verify
from .optimizer.pipeline import Stage, optimization_stages, optimize
from .packet.af_packet import SocketView, socket_view, with_tag
from .packet.batch import Packets
from .packet.host_view import HostView, host_view
from .packet.link_types import LinkType, link_type
from .packet.metadata import Device, Metadata, VlanTag
from .proofs.cases import Case, cases
from .proofs.equivalence import Difference, difference, equivalent, implies
from .proofs.reachability import DeadCode, Witness, dead, witness
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
    "ByteChange",
    "CaptureError",
    "CaptureInfo",
    "CapturePrograms",
    "CaptureReader",
    "Case",
    "CbpfError",
    "ClauseCoverage",
    "DamagedCapture",
    "DeadCode",
    "Device",
    "Dialect",
    "Difference",
    "Direction",
    "Edge",
    "EngineName",
    "ExecutionCounts",
    "ExplainedPart",
    "Expression",
    "ExpressionError",
    "ExpressionWarning",
    "Extension",
    "Facts",
    "Fetched",
    "FieldError",
    "Finding",
    "Flow",
    "FrontEnd",
    "Goal",
    "Graph",
    "HostRanges",
    "HostView",
    "Instruction",
    "Interface",
    "InterfaceInfo",
    "Jump",
    "JumpIf",
    "JumpIfX",
    "JumpTest",
    "Known",
    "LinkType",
    "LinkTypeError",
    "LintFinding",
    "LoadAbsolute",
    "LoadConstant",
    "LoadExtension",
    "LoadIndirect",
    "LoadMemShift",
    "LoadScratch",
    "MappedClause",
    "Metadata",
    "MissingLibrary",
    "NegateA",
    "Optimizer",
    "Packet",
    "PacketChange",
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
    "Resolver",
    "RetA",
    "RetConstant",
    "Savefile",
    "Setter",
    "SocketView",
    "SourceMap",
    "Span",
    "Stage",
    "Step",
    "StoreScratch",
    "Summary",
    "SystemResolver",
    "TypedInstruction",
    "Undecided",
    "VerdictExplanation",
    "VerificationError",
    "VlanTag",
    "Witness",
    "assemble",
    "capture_info",
    "cases",
    "clause_coverage",
    "compile",
    "compile_for_capture",
    "dead",
    "describe_verdict",
    "difference",
    "disassemble",
    "equivalent",
    "execution_counts",
    "explain_verdict",
    "filter_capture",
    "findings",
    "format_expression",
    "format_ranges",
    "graph",
    "host_view",
    "hosts",
    "implies",
    "link_type",
    "lint_expression",
    "listing",
    "optimization_stages",
    "optimize",
    "parse",
    "ports",
    "program_info",
    "read_capture",
    "read_expression",
    "read_hosts",
    "read_ports",
    "render",
    "render_bytes",
    "socket_view",
    "source_map",
    "split_capture",
    "tree_listing",
    "verify",
    "with_tag",
    "witness",
    "write_capture",
    "write_file",
]
