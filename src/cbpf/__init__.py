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
    "flow.blocks": "Block Edge",
    "capture.container": "Interface",
    "capture.plain": "write_capture",
    "capture.reader": "CaptureReader Packet read_capture",
    "capture.survey": "CaptureInfo InterfaceInfo PacketTotals capture_info",
    "flow.counting": "ExecutionCounts execution_counts",
    "covering": "Case cases",
    "choices": "Direction EngineName Goal Optimizer",
    "dialects": "DIALECTS LINUX PCAP SECCOMP Dialect",
    "drawing.graph": "Graph graph",
    "engines.interpreter": "Fetched Step",
    "equivalence": "Difference difference equivalent implies",
    "errors": """
        CaptureError CbpfError DamagedCapture ExpressionError ExpressionWarning FieldError Finding
        MissingLibrary PacketError Problem ProgramFormatError ProofFailed Undecided
        VerificationError
    """,
    "expression": "DEFAULT_SNAPLEN compile hosts ports",
    "flow.facts": "Facts PacketLoad",
    "filtering": "compile_for_capture filter_capture split_capture",
    "flow.flow": "Flow",
    "formats": "FORMAT_NAMES parse render render_bytes",
    "instructions": """
        TAX TXA ALUOpConstant ALUOpX Instruction Jump JumpIf JumpIfX LoadAbsolute LoadConstant LoadExtension
        LoadIndirect LoadMemShift LoadScratch NegateA RawInstruction RetA RetConstant Setter StoreScratch
        TypedInstruction assemble disassemble
    """,
    "isa": "ALUOp Extension JumpTest Register",
    "flow.knowledge": "Known",
    "link_types": "LinkType link_type",
    "listings": "listing",
    "lists": "Expression HostRanges read_hosts read_ports",
    "metadata": "Device Metadata VlanTag",
    "optimizer.pipeline": "Stage optimization_stages optimize",
    "packets": "Packets",
    "program": "Program",
    "reachability": "DeadCode Witness dead witness",
    "savefile": "Savefile",
    "socket_views": "SocketView socket_view with_tag",
    "flow.statistics": "ProgramInfo program_info",
    "summary": "Summary",
    "verifier": "findings verify",
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
