"""cbpf: the classic BPF toolkit for Python.

A `Program` is an immutable sequence of instructions. It comes from typed instructions, from a filter
expression (`compile`), or from text or bytes (`parse`); a dialect says what it may contain (`findings`,
`verify`); a `VM` runs it on packets; `filter_capture` runs it over captures.

>>> import cbpf
>>> vm = cbpf.VM(cbpf.compile("arp"))
>>> vm.run(bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(28))
262144
"""

# Most programs use few names, and where the input is small a command's start is all the time that it takes: so each
# name is imported when it is first used. `__init__.pyi` says the same to type checkers; a test compares the two.
_PLACES = {
    "analysis.cfg": "Block Edge",
    "capture.base": "Interface",
    "capture.write": "write_capture",
    "capture.reader": "CaptureReader Packet read_capture",
    "capture.info": "CaptureInfo InterfaceInfo PacketTotals capture_info",
    "analysis.profile": "ExecutionCounts execution_counts",
    "proofs.cases": "Case cases",
    "_options": "Direction EngineName Goal Optimizer",
    "isa.dialects": "DIALECTS LINUX PCAP SECCOMP Dialect",
    "drawing.graph": "Graph graph",
    "engines.interpreter": "Fetched Step",
    "proofs.equivalence": "Difference difference equivalent implies",
    "errors": """
        CaptureError CbpfError DamagedCapture ExpressionError ExpressionWarning FieldError Finding
        MissingLibrary PacketError Problem ProgramFormatError ProofFailed Undecided
        VerificationError
    """,
    "expression.compiler": "DEFAULT_SNAPLEN compile hosts ports",
    "analysis.abstract_state": "Facts PacketLoad",
    "filtering.api": "compile_for_capture filter_capture split_capture",
    "analysis.flow": "Flow",
    "formats": "FORMAT_NAMES parse render render_bytes",
    "isa.encoding": "Setter assemble disassemble",
    "isa.instructions": """
        TAX TXA ALUOpConstant ALUOpX Instruction Jump JumpIf JumpIfX LoadAbsolute LoadConstant LoadExtension
        LoadIndirect LoadMemShift LoadScratch NegateA RawInstruction RetA RetConstant StoreScratch
        TypedInstruction
    """,
    "isa.opcodes": "ALUOp Extension JumpTest Register",
    "analysis.abstract_value": "Known",
    "analysis.index_ranges": "format_ranges",
    "packet.link_types": "LinkType link_type",
    "isa.listing": "listing",
    "expression.address_lists": "Expression HostRanges read_hosts read_ports",
    "packet.metadata": "Device Metadata VlanTag",
    "optimizer.pipeline": "Stage optimization_stages optimize",
    "packet.batch": "Packets",
    "isa.program": "Program",
    "proofs.reachability": "DeadCode Witness dead witness",
    "formats.savefile": "Savefile",
    "packet.af_packet": "SocketView socket_view with_tag",
    "analysis.program_info": "ProgramInfo program_info",
    "filtering.summary": "Summary",
    "isa.verdicts": "describe_verdict",
    "isa.verifier": "findings verify",
    "vm": "VM",
}
_PLACE_OF = {name: module for module, names in _PLACES.items() for name in names.split()}

__version__ = "0.1.0"

__all__ = sorted(_PLACE_OF)


def __getattr__(name: str) -> object:
    """Imports a public name."""
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_PLACE_OF[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
