# For type checkers and editors: the names that `__init__.py` imports at their first use.
# Each is imported `as` itself, since jedi completes no other names of a stub.

from . import archive as archive, arrow as arrow, linux as linux, polars as polars, seccomp as seccomp
from ._options import (
    AcceptedFate as AcceptedFate,
    BinaryTarget as BinaryTarget,
    Direction as Direction,
    EbpfTarget as EbpfTarget,
    EngineName as EngineName,
    FrontEnd as FrontEnd,
    Goal as Goal,
    Optimizer as Optimizer,
    TextTarget as TextTarget,
    VMEngineName as VMEngineName,
)
from ._output import write_file as write_file
from ._span import Span as Span
from .analysis.abstract_state import Facts as Facts, PacketLoad as PacketLoad
from .analysis.abstract_value import Known as Known
from .analysis.cfg import Block as Block, Edge as Edge
from .analysis.index_ranges import format_ranges as format_ranges
from .analysis.profile import ExecutionCounts as ExecutionCounts
from .analysis.program_info import ProgramInfo as ProgramInfo
from .capture.base import Interface as Interface
from .capture.info import (
    CaptureInfo as CaptureInfo,
    InterfaceInfo as InterfaceInfo,
    PacketTotals as PacketTotals,
    capture_info as capture_info,
)
from .capture.live_interface import InterfaceStatistics as InterfaceStatistics
from .capture.packets import Packet as Packet
from .capture.reader import CaptureReader as CaptureReader
from .capture.write import write_capture as write_capture
from .capture.writer import CaptureWriter as CaptureWriter
from .drawing.graph import Graph as Graph
from .engines.cuda.packets import DevicePackets as DevicePackets
from .engines.cuda.verdicts import DeviceVerdicts as DeviceVerdicts
from .engines.interpreter import Fetched as Fetched, Step as Step
from .errors import (
    ArchiveError as ArchiveError,
    CaptureError as CaptureError,
    CbpfError as CbpfError,
    DamagedCapture as DamagedCapture,
    EbpfError as EbpfError,
    ExpressionError as ExpressionError,
    ExpressionWarning as ExpressionWarning,
    FieldError as FieldError,
    Finding as Finding,
    LinkTypeError as LinkTypeError,
    MissingLibrary as MissingLibrary,
    PacketError as PacketError,
    PolicyError as PolicyError,
    Problem as Problem,
    ProgramFormatError as ProgramFormatError,
    ProgramWarning as ProgramWarning,
    ProofFailed as ProofFailed,
    SeccompError as SeccompError,
    SelectionWarning as SelectionWarning,
    SocketError as SocketError,
    TableWarning as TableWarning,
    Undecided as Undecided,
    VerificationError as VerificationError,
)
from .explorer.notebook.exploring import ExplorerPage as ExplorerPage, explore as explore
from .expression.address_lists import (
    Expression as Expression,
    HostRanges as HostRanges,
    read_expression as read_expression,
    read_hosts as read_hosts,
    read_ports as read_ports,
)
from .expression.compiler import DEFAULT_SNAPLEN as DEFAULT_SNAPLEN, compile as compile, hosts as hosts, ports as ports
from .expression.explaining.coverage import ClauseCoverage as ClauseCoverage, clause_coverage as clause_coverage
from .expression.explaining.source_map import (
    MappedClause as MappedClause,
    SourceMap as SourceMap,
    source_map as source_map,
)
from .expression.explaining.verdict import (
    ByteChange as ByteChange,
    ExplainedPart as ExplainedPart,
    PacketChange as PacketChange,
    VerdictExplanation as VerdictExplanation,
    explain_verdict as explain_verdict,
)
from .expression.formatting import format_expression as format_expression
from .expression.linting.findings import LintFinding as LintFinding
from .expression.linting.linter import lint_expression as lint_expression
from .expression.names import Resolver as Resolver, SystemResolver as SystemResolver
from .expression.tree_text import tree_listing as tree_listing
from .facade.cases import cases as cases
from .facade.conversion import render as render, render_bytes as render_bytes
from .facade.drawing import graph as graph
from .facade.emission import emit as emit
from .facade.equivalence import difference as difference, equivalent as equivalent, implies as implies
from .facade.flow import Flow as Flow
from .facade.listing import listing as listing
from .facade.machine import VM as VM
from .facade.optimization import optimization_stages as optimization_stages, optimize as optimize
from .facade.profile import execution_counts as execution_counts
from .facade.reachability import dead as dead, witness as witness
from .facade.summary import program_info as program_info
from .facade.verification import findings as findings, verify as verify
from .filtering.api import (
    compile_for_capture as compile_for_capture,
    filter_capture as filter_capture,
    split_capture as split_capture,
)
from .filtering.capture_programs import CapturePrograms as CapturePrograms
from .filtering.counting import (
    PacketCount as PacketCount,
    PacketCounts as PacketCounts,
    count_packets as count_packets,
)
from .filtering.iteration import read_capture as read_capture
from .filtering.profile import CaptureProfile as CaptureProfile
from .filtering.profile import profile_capture as profile_capture
from .filtering.rotation import Rotation as Rotation
from .filtering.summary import Summary as Summary
from .filtering.verdicts import capture_verdicts as capture_verdicts
from .formats.conversion import instruction_spans as instruction_spans, parse as parse
from .formats.names import FORMAT_NAMES as FORMAT_NAMES
from .formats.savefile import Savefile as Savefile
from .isa.dialects import (
    DIALECTS as DIALECTS,
    FREEBSD as FREEBSD,
    LINUX as LINUX,
    MACOS as MACOS,
    NETBSD as NETBSD,
    OPENBSD as OPENBSD,
    PCAP as PCAP,
    SECCOMP as SECCOMP,
    Dialect as Dialect,
)
from .isa.encoding import assemble as assemble, disassemble as disassemble
from .isa.enumerations import ALUOp as ALUOp, Extension as Extension, JumpTest as JumpTest, Register as Register
from .isa.instructions import (
    TAX as TAX,
    TXA as TXA,
    ALUOpConstant as ALUOpConstant,
    ALUOpX as ALUOpX,
    Instruction as Instruction,
    Jump as Jump,
    JumpIf as JumpIf,
    JumpIfX as JumpIfX,
    LoadAbsolute as LoadAbsolute,
    LoadConstant as LoadConstant,
    LoadExtension as LoadExtension,
    LoadIndirect as LoadIndirect,
    LoadMemShift as LoadMemShift,
    LoadScratch as LoadScratch,
    NegateA as NegateA,
    RetA as RetA,
    RetConstant as RetConstant,
    StoreScratch as StoreScratch,
    TypedInstruction as TypedInstruction,
)
from .isa.program import Program as Program
from .isa.raw_instruction import RawInstruction as RawInstruction
from .isa.setter import Setter as Setter
from .isa.verdicts import describe_verdict as describe_verdict
from .live.interfaces import NetworkInterface as NetworkInterface, network_interfaces as network_interfaces
from .live.sniffing import CaptureDirection as CaptureDirection, Sniffer as Sniffer, sniff as sniff
from .optimizer.pipeline import Stage as Stage
from .packet.af_packet import SocketView as SocketView, socket_view as socket_view, with_tag as with_tag
from .packet.batch import Packets as Packets
from .packet.host_view import HostView as HostView, host_view as host_view
from .packet.link_types import LinkType as LinkType, link_type as link_type
from .packet.metadata import Device as Device, Metadata as Metadata, VlanTag as VlanTag
from .proofs.cases import Case as Case
from .proofs.equivalence import Difference as Difference
from .proofs.reachability import DeadCode as DeadCode, Witness as Witness

__version__: str

__all__ = [
    "DEFAULT_SNAPLEN",
    "DIALECTS",
    "FORMAT_NAMES",
    "FREEBSD",
    "LINUX",
    "MACOS",
    "NETBSD",
    "OPENBSD",
    "PCAP",
    "SECCOMP",
    "TAX",
    "TXA",
    "VM",
    "ALUOp",
    "ALUOpConstant",
    "ALUOpX",
    "AcceptedFate",
    "ArchiveError",
    "BinaryTarget",
    "Block",
    "ByteChange",
    "CaptureDirection",
    "CaptureError",
    "CaptureInfo",
    "CaptureProfile",
    "CapturePrograms",
    "CaptureReader",
    "CaptureWriter",
    "Case",
    "CbpfError",
    "ClauseCoverage",
    "DamagedCapture",
    "DeadCode",
    "Device",
    "DevicePackets",
    "DeviceVerdicts",
    "Dialect",
    "Difference",
    "Direction",
    "EbpfError",
    "EbpfTarget",
    "Edge",
    "EngineName",
    "ExecutionCounts",
    "ExplainedPart",
    "ExplorerPage",
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
    "InterfaceStatistics",
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
    "NetworkInterface",
    "Optimizer",
    "Packet",
    "PacketChange",
    "PacketCount",
    "PacketCounts",
    "PacketError",
    "PacketLoad",
    "PacketTotals",
    "Packets",
    "PolicyError",
    "Problem",
    "Program",
    "ProgramFormatError",
    "ProgramInfo",
    "ProgramWarning",
    "ProofFailed",
    "RawInstruction",
    "Register",
    "Resolver",
    "RetA",
    "RetConstant",
    "Rotation",
    "Savefile",
    "SeccompError",
    "SelectionWarning",
    "Setter",
    "Sniffer",
    "SocketError",
    "SocketView",
    "SourceMap",
    "Span",
    "Stage",
    "Step",
    "StoreScratch",
    "Summary",
    "SystemResolver",
    "TableWarning",
    "TextTarget",
    "TypedInstruction",
    "Undecided",
    "VMEngineName",
    "VerdictExplanation",
    "VerificationError",
    "VlanTag",
    "Witness",
    "assemble",
    "capture_info",
    "capture_verdicts",
    "cases",
    "clause_coverage",
    "compile",
    "compile_for_capture",
    "count_packets",
    "dead",
    "describe_verdict",
    "difference",
    "disassemble",
    "emit",
    "equivalent",
    "execution_counts",
    "explain_verdict",
    "explore",
    "filter_capture",
    "findings",
    "format_expression",
    "format_ranges",
    "graph",
    "host_view",
    "hosts",
    "implies",
    "instruction_spans",
    "link_type",
    "lint_expression",
    "listing",
    "network_interfaces",
    "optimization_stages",
    "optimize",
    "parse",
    "ports",
    "profile_capture",
    "program_info",
    "read_capture",
    "read_expression",
    "read_hosts",
    "read_ports",
    "render",
    "render_bytes",
    "sniff",
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
