"""cbpf: the classic BPF toolkit for Python.

A `Program` is an immutable sequence of instructions. It is made of typed instructions, of a filter expression
(`compile`), or of text or bytes (`parse`). `findings` and `verify` check it against the rules of a dialect, a `VM`
runs it on packets, and `filter_capture` runs it over capture files.

>>> import cbpf
>>> vm = cbpf.VM(cbpf.compile("arp"))
>>> vm.run(bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(28))
262144
"""

from . import _forks as _forks  # before a thread can import anything else

# The modules of the public names. A name is imported at its first use: most programs need few of them, and on small
# inputs a command spends most of its time on imports. `__init__.pyi` repeats the table for type checkers; a test
# compares the two.
_PUBLIC_NAMES = {
    "_options": """
        AcceptedFate BinaryTarget Direction EbpfTarget EngineName FrontEnd Goal Optimizer TextTarget VMEngineName
    """,
    "_output": "write_file",
    "_span": "Span",
    "analysis.abstract_state": "Facts PacketLoad",
    "analysis.abstract_value": "Known",
    "analysis.cfg": "Block Edge",
    "analysis.index_ranges": "format_ranges",
    "analysis.profile": "ExecutionCounts",
    "analysis.program_info": "ProgramInfo",
    "capture.base": "Interface",
    "capture.info": "CaptureInfo InterfaceInfo PacketTotals capture_info",
    "capture.live_interface": "InterfaceStatistics",
    "capture.packets": "Packet",
    "capture.reader": "CaptureReader",
    "capture.write": "write_capture",
    "capture.writer": "CaptureWriter",
    "drawing.graph": "Graph",
    "engines.cuda.packets": "DevicePackets",
    "engines.cuda.verdicts": "DeviceVerdicts",
    "engines.interpreter": "Fetched Step",
    "errors": """
        ArchiveError CaptureError CbpfError DamagedCapture EbpfError ExpressionError ExpressionWarning
        FieldError Finding LinkTypeError MissingLibrary PacketError PolicyError Problem ProgramFormatError
        ProgramWarning ProofFailed SeccompError SelectionWarning SocketError TableWarning Undecided VerificationError
    """,
    "explorer.notebook.exploring": "ExplorerPage explore",
    "expression.address_lists": "Expression HostRanges read_expression read_hosts read_ports",
    "expression.compiler": "DEFAULT_SNAPLEN compile hosts ports",
    "expression.explaining.coverage": "ClauseCoverage clause_coverage",
    "expression.explaining.source_map": "MappedClause SourceMap source_map",
    "expression.explaining.verdict": "ByteChange ExplainedPart PacketChange VerdictExplanation explain_verdict",
    "expression.formatting": "format_expression",
    "expression.linting.findings": "LintFinding",
    "expression.linting.linter": "lint_expression",
    "expression.names": "Resolver SystemResolver",
    "expression.tree_text": "tree_listing",
    "facade.cases": "cases",
    "facade.conversion": "render render_bytes",
    "facade.drawing": "graph",
    "facade.emission": "emit",
    "facade.equivalence": "difference equivalent implies",
    "facade.flow": "Flow",
    "facade.listing": "listing",
    "facade.machine": "VM",
    "facade.optimization": "optimization_stages optimize",
    "facade.profile": "execution_counts",
    "facade.reachability": "dead witness",
    "facade.summary": "program_info",
    "facade.verification": "findings verify",
    "filtering.api": "compile_for_capture filter_capture split_capture",
    "filtering.capture_programs": "CapturePrograms",
    "filtering.counting": "PacketCount PacketCounts count_packets",
    "filtering.iteration": "read_capture",
    "filtering.profile": "CaptureProfile profile_capture",
    "filtering.rotation": "Rotation",
    "filtering.summary": "Summary",
    "filtering.verdicts": "capture_verdicts",
    "formats.conversion": "instruction_spans parse",
    "formats.names": "FORMAT_NAMES",
    "formats.savefile": "Savefile",
    "isa.dialects": "DIALECTS FREEBSD LINUX MACOS NETBSD OPENBSD PCAP SECCOMP Dialect",
    "isa.encoding": "assemble disassemble",
    "isa.enumerations": "ALUOp Extension JumpTest Register",
    "isa.instructions": """
        TAX TXA ALUOpConstant ALUOpX Instruction Jump JumpIf JumpIfX LoadAbsolute LoadConstant LoadExtension
        LoadIndirect LoadMemShift LoadScratch NegateA RetA RetConstant StoreScratch TypedInstruction
    """,
    "isa.program": "Program",
    "isa.raw_instruction": "RawInstruction",
    "isa.setter": "Setter",
    "isa.verdicts": "describe_verdict",
    "live.interfaces": "NetworkInterface network_interfaces",
    "live.sniffing": "CaptureDirection Sniffer sniff",
    "optimizer.pipeline": "Stage",
    "packet.af_packet": "SocketView socket_view with_tag",
    "packet.batch": "Packets",
    "packet.host_view": "HostView host_view",
    "packet.link_types": "LinkType link_type",
    "packet.metadata": "Device Metadata VlanTag",
    "proofs.cases": "Case",
    "proofs.equivalence": "Difference",
    "proofs.reachability": "DeadCode Witness",
}
_PUBLIC_MODULES = ("archive", "arrow", "linux", "polars", "seccomp")
_MODULE_OF = {name: module for module, names in _PUBLIC_NAMES.items() for name in names.split()}

__version__ = "0.1.0"

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> object:
    """Import a public name, or a public module."""
    if name not in _MODULE_OF and name not in _PUBLIC_MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _PUBLIC_MODULES:
        return _import(name)
    value = globals()[name] = getattr(_import(_MODULE_OF[name]), name)
    return value


def _import(module: str) -> object:
    """Import a module of this package; `importlib` takes longer to import than most of them."""
    return __import__(f"{__name__}.{module}", fromlist=["__doc__"])  # "*" would import all names of a public module


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PUBLIC_MODULES})
