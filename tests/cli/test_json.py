"""The option --json: the keys that docs/reference/json.md lists, and the facts of the output for people."""

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf._record import Record
from support.command_line import TRAFFIC, CommandLine, run_here
from support.json_documents import document, documents

EXPRESSION: Final = "tcp port 443 or arp"
UNEQUAL: Final = "udp port 67 or udp port 68"
"""An expression whose verdicts libpcap's optimiser changes."""


def text(*arguments: str) -> str:
    """Return the standard output of a command for people."""
    return run_here(*arguments).stdout.decode()


def program_of(rows: list[dict[str, int]]) -> cbpf.Program:
    """Return a program that a document contains, as any command reads it."""
    return cbpf.parse(json.dumps(rows))


def metadata_of(fields: dict[str, Any]) -> cbpf.Metadata:
    """Return the metadata that a document contains."""
    device, vlan = fields["device"], fields["vlan"]
    parts = {
        "device": device and cbpf.Device(**device),
        "vlan": vlan and cbpf.VlanTag(**vlan),
        "before": bytes.fromhex(fields["before"]),
        "draws": tuple(fields["draws"]),
    }
    return cbpf.Metadata(**(fields | parts))


# -- The facts of the output for people --


def test_verify_has_the_findings_of_stderr(cli: CommandLine) -> None:
    source = b"ld M[3]\nlsh #40\n"
    code, _, err = cli("verify", "--dialect", "linux", stdin=source)
    result = document("verify", "--dialect", "linux", stdin=source, code=code)
    findings = [cbpf.Finding(**fields) for fields in result["findings"]]
    assert [f"standard input: {finding}" for finding in findings] == err.splitlines()
    assert tuple(findings) == cbpf.findings(program_of(result["program"]), dialect=cbpf.LINUX)


def test_programs_are_those_of_convert_and_can_be_read_back() -> None:
    expected = cbpf.compile(EXPRESSION)
    for arguments in (["verify", "-e", EXPRESSION], ["trace", "-e", EXPRESSION, TRAFFIC], ["graph", "-e", EXPRESSION]):
        rows = document(*arguments)["program"]
        assert rows == json.loads(text("convert", "--to", "json", "-e", EXPRESSION))
        assert program_of(rows) == expected


@pytest.mark.parametrize("number", [1, 39, 781])
def test_trace_has_the_steps_and_the_verdict_of_the_text(number: int) -> None:
    options = ["trace", "-n", str(number), "-e", EXPRESSION, TRAFFIC]
    result, lines = document(*options), text(*options).splitlines()
    assert lines[-1] == result["meaning"]
    assert len(lines) == len(result["steps"]) + 2
    for step, line in zip(result["steps"], lines[1:-1], strict=True):
        assert line.startswith(f"({step['index']:03})")
        assert f"A={step['a']:#010x} X={step['x']:#010x}" in line
        if step["fetched"]:
            load = cbpf.Fetched(**step["fetched"])
            assert str(load) in line
        if step["taken"] is not None:
            assert line.endswith(f"{str(step['taken']).lower()}, to {step['next_index']}")


@pytest.mark.parametrize("options", [[], ["--as-socket", "--dialect", "linux"]], ids=["capture", "socket"])
def test_packets_can_be_read_back(options: list[str]) -> None:
    result = document("trace", "-n", "781", "-e", "vlan and udp", TRAFFIC, *options)
    vm = cbpf.VM(program_of(result["program"]), dialect=cbpf.DIALECTS[result["dialect"]])
    packet, metadata = bytes.fromhex(result["packet"]), metadata_of(result["metadata"])
    steps = [step.as_dict() for step in vm.trace(packet, metadata=metadata, wire_length=result["wire_length"])]
    assert json.loads(json.dumps(steps)) == result["steps"]
    assert vm.evaluate(packet, metadata=metadata, wire_length=result["wire_length"]) == result["verdict"]


def test_run_has_the_lines_of_the_text() -> None:
    rows = documents("run", "-e", EXPRESSION, TRAFFIC)
    assert [f"{row['number']} {row['verdict']}" for row in rows] == text("run", "-e", EXPRESSION, TRAFFIC).splitlines()


def test_run_numbers_all_packets_of_long_captures(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    cbpf.write_capture(path, [bytes(60)] * 2500)
    assert [row["number"] for row in documents("run", "-e", "arp", str(path))] == list(range(1, 2501))


@pytest.mark.parametrize(
    ("relation", "expressions", "answer", "code"),
    [
        ("equal", ("arp", "arp or arp"), "equal", 0),
        ("equal", ("arp", "arp or vlan"), "different", 1),
        ("implies", ("tcp port 80", "tcp"), "implied", 0),
        ("implies", ("tcp", "tcp port 80"), "not implied", 1),
    ],
)
def test_diff_has_the_answer_and_a_packet_with_both_verdicts(
    relation: str, expressions: tuple[str, str], answer: str, code: int
) -> None:
    options = ["diff", "--relation", relation, "-e", expressions[0], "-e", expressions[1]]
    result = document(*options, code=code)
    assert result["answer"] == answer == re.split("[:;]", text(*options))[0]
    found = result["difference"]
    assert (found is None) == (code == 0)
    for side in ("left", "right"):
        steps = result[side]["steps"]
        assert (steps is None) == (found is None)
        if found:
            vm = cbpf.VM(program_of(result[side]["program"]))
            packet, metadata = bytes.fromhex(found["packet"]), metadata_of(found["metadata"])
            verdict = vm.evaluate(packet, metadata=metadata, wire_length=found["wire_length"])
            assert verdict == found[f"{side}_verdict"] == steps[-1]["verdict"]


def test_explain_has_the_sizes_the_answers_and_the_counterexample(tmp_path: Path) -> None:
    target = tmp_path / "difference.pcap"
    result = document("explain", UNEQUAL, "-w", str(target))
    lines = text("explain", UNEQUAL).splitlines()
    sizes = [(int(line[:6]), line[13:]) for line in lines if re.match(r" *\d+ +[+-]?\d* ?[a-z]", line)]
    plain, *stages = sizes
    assert plain == (len(result["plain"]["program"]), "plain code")
    assert stages == [(len(stage["program"]), stage["name"]) for stage in result["stages"]]
    assert f"path length {result['plain']['shortest']} to {result['plain']['longest']}" in lines[0]
    assert f"path length {result['optimized']['shortest']} to {result['optimized']['longest']}" in lines[0]
    assert program_of(result["optimized"]["program"]) == cbpf.compile(UNEQUAL)
    assert (result["proof"]["answer"], result["libpcap"]["answer"]) == ("equal", "different")
    (packet,) = cbpf.read_capture(target)
    assert packet.data.hex() == result["libpcap"]["difference"]["packet"]


def test_explain_is_undecided_after_the_time_limit() -> None:
    result = document("explain", "--timeout", "1e-9", "tcp port 80", code=3)
    assert (result["proof"]["answer"], result["proof"]["seconds"]) == ("undecided", None)
    assert result["proof"]["reason"].endswith("increase timeout")


def test_graph_has_the_blocks_the_conditions_and_the_counts() -> None:
    options = ["graph", "-e", EXPRESSION, "--clauses", "-r", TRAFFIC]
    result, drawn = document(*options), text(*options, "--to", "mermaid")
    nodes = re.findall(r"^    b(\d+)\[", drawn, re.MULTILINE)
    assert [block["number"] for block in result["blocks"]] == list(map(int, nodes))
    edges = [edge for block in result["blocks"] for edge in block["edges"]]
    arrows = re.findall(r"^    b(\d+) .*b(\d+)$", drawn, re.MULTILINE)
    assert sorted((edge["source"], edge["target"]) for edge in edges) == sorted((int(a), int(b)) for a, b in arrows)
    for block in result["blocks"]:
        if block["number"]:
            assert block["executed"] == sum(edge["count"] for edge in edges if edge["target"] == block["number"])
    assert result["notes"] == list(cbpf.source_map(EXPRESSION).texts())
    assert {clause["text"] for clause in result["clauses"]} == {text for text in result["notes"] if text}


def test_a_graph_of_many_blocks_is_not_folded(cli: CommandLine, tmp_path: Path) -> None:
    expression = " or ".join(f"ether[20] = {number}" for number in range(0, 200, 2))
    result = document("graph", "-e", expression)
    assert len(result["blocks"]) == len(cbpf.Flow(expression).blocks)
    target = tmp_path / "graph.json"
    assert cli("graph", "-e", expression, "--json", "-w", str(target)) == (0, b"", "")
    assert json.loads(target.read_text()) == result


def test_lint_has_the_facts_and_the_packet_of_the_text() -> None:
    result = document("lint", "vlan or ip", code=1)
    lines = text("lint", "vlan or ip").splitlines()
    place = f"column {result['column']}: {result['severity']}: {result['fact']}; {result['rule']}"
    assert lines[0] == f"expression: {place} [{result['identifier']}]"
    assert f"  write: {result['suggestion']}" in lines
    packet, metadata = bytes.fromhex(result["packet"]), metadata_of(result["metadata"])
    for expression, verdict in (("vlan or ip", "verdict"), (result["suggestion"], "suggestion_verdict")):
        vm = cbpf.VM(cbpf.compile(expression))
        assert vm.evaluate(packet, metadata=metadata, wire_length=result["wire_length"]) == result[verdict]


def test_why_has_the_outcomes_the_deciding_clause_and_the_change() -> None:
    expression = "tcp port 443 or udp port 53 and not net 10.0.0.0/8"
    options = ["why", "-r", TRAFFIC, "-n", "39", expression]
    result, lines = document(*options), text(*options).splitlines()
    for index, (part, line) in enumerate(zip(result["parts"], lines[2:], strict=False)):
        assert line.startswith("> " if index == result["deciding"] else "  ")
        assert line[2:].startswith(part["outcome"])
        assert part["text"] in line
        for load in part["loads"]:
            assert f"={load['value']:0{2 * load['size']}x}" in line
    (change,) = result["change"]["changes"]
    assert lines[-1].startswith(f"  byte {change['offset']}: {change['old']:02x} -> {change['new']:02x}, then ")
    vm = cbpf.VM(cbpf.compile(expression))
    assert bool(vm.evaluate(bytes.fromhex(result["packet"]))) is result["accepts"]
    assert bool(vm.evaluate(bytes.fromhex(result["change"]["packet"]))) is not result["accepts"]


# -- Errors --


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify", "-e", "tcp prot 80"], 2),
        (["verify", "missing.bpf"], 2),
        (["trace", "-n", "99999", "-e", "arp", TRAFFIC], 2),
        (["run", "-e", "arp", "missing.pcap"], 2),
        (["diff", "-e", "arp"], 2),
        (["diff", "--timeout", "1e-9", "-e", "tcp port 80", "-e", "udp port 80"], 3),
        (["explain", "-y", "RAW", "vlan"], 2),
        (["graph", "--to", "svg", "-e", "arp"], 2),
        (["graph", "--clauses"], 2),
        (["lint", "tcp prot 80"], 2),
        (["why", "-r", TRAFFIC, "tcp prot 80"], 2),
    ],
)
def test_errors_are_lines_on_stderr_and_keep_their_exit_codes(arguments: list[str], code: int) -> None:
    done = run_here(*arguments, "--json")
    assert (done.exit_code, done.stdout) == (code, b"")
    assert done.stderr.startswith("cbpf: ")
    assert sum(line.startswith("cbpf: ") for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


# -- Public objects --

PROGRAM: Final = cbpf.compile(EXPRESSION)
RECORDS: Final[dict[str, Callable[[], Any]]] = {
    "Case": lambda: cbpf.cases(PROGRAM)[0],
    "ClauseCoverage": lambda: cbpf.clause_coverage(EXPRESSION, [bytes(60)])[0],
    "DeadCode": lambda: cbpf.dead(cbpf.parse("ld #1\njeq #1,1\nret #1\nret #0")),
    "Problem": lambda: cbpf.Problem(1, 2, "text", "excerpt"),
    "Witness": lambda: cbpf.witness(PROGRAM, verdict="accept"),
    "PacketLoad": lambda: cbpf.Flow(PROGRAM).loads[0],
    "Known": lambda: cbpf.Known("[12:2]", 0, 0xFFFF, None, frozenset((2048,))),
    "Facts": lambda: cbpf.Flow(PROGRAM).facts(3),
    "CaptureProfile": lambda: cbpf.profile_capture(TRAFFIC, "arp"),
    "Summary": lambda: cbpf.Summary(905, 18, 309055, 756, 0.25),
    "MaskedRanges": lambda: cbpf.seccomp.MaskedRanges(0xFF, ((1, 2), (4, 8))),
    "Condition": lambda: cbpf.seccomp.Condition(0, (cbpf.seccomp.MaskedRanges(),)),
    "ObjectProblem": lambda: cbpf.archive.ObjectProblem("in.pcap", "damaged", "the file ends"),
    "Metadata": lambda: cbpf.Metadata(device=cbpf.Device(1), vlan=cbpf.VlanTag(5), before=b"\1\2", draws=(1, 2)),
}


@pytest.mark.parametrize("make", RECORDS.values(), ids=RECORDS)
def test_dictionaries_of_records_have_all_fields_as_json_values(make: Callable[[], Any]) -> None:
    record = make()
    fields = record.as_dict()
    assert list(fields) == list(type(record).__match_args__)
    assert json.loads(json.dumps(fields)) == fields


OTHER_RECORDS: Final[dict[str, Callable[[], Any]]] = {
    "CaptureInfo": lambda: cbpf.capture_info(TRAFFIC),
    "Interface": lambda: cbpf.read_capture(TRAFFIC).interfaces[0],
    "SystemCall": lambda: cbpf.seccomp.SystemCall(41, (1, 2)),
    "AuditFinding": lambda: cbpf.seccomp.audit(cbpf.parse("ret #0x7fff0000"))[0],
    "Overview": lambda: cbpf.seccomp.overview(cbpf.parse("ret #0x7fff0000")),
}
"""Records whose dictionaries have other keys than the fields."""


@pytest.mark.parametrize("make", OTHER_RECORDS.values(), ids=OTHER_RECORDS)
def test_dictionaries_of_other_records_have_json_values(make: Callable[[], Any]) -> None:
    fields = make().as_dict()
    assert json.loads(json.dumps(fields)) == fields


def test_sets_of_values_are_sorted_lists() -> None:
    fields = cbpf.Known("a", 0, 9, frozenset((9, 0, 4)), frozenset((5, 3))).as_dict()
    assert fields == {"name": "a", "low": 0, "high": 9, "values": [0, 4, 9], "excluded": [3, 5]}


WITHOUT_DOCUMENT: Final = {
    "cbpf": (
        *("Dialect", "Expression", "HostRanges", "HostView", "InterfaceStatistics", "LinkType", "NetworkInterface"),
        *("Packet", "Rotation", "Savefile", "SocketView", "Span"),
    ),
    "cbpf.archive": (),
    "cbpf.arrow": ("Column", "TopGroup"),
    "cbpf.linux": ("EbpfCheck", "EbpfDifference"),
    "cbpf.seccomp": (
        *("Architecture", "Argument", "CallClass", "CallExplanation", "CallFailure", "CallGroup", "CallOmission"),
        *("CallReport", "CallSet", "CallTest", "ClassDifference", "CommandTrace", "Decision", "FilterFile"),
        *("InstalledFilter", "LibseccompProgram", "Omission", "Policy", "ProfilePolicy", "Rule", "SeccompAction"),
    ),
}
"""The records without `as_dict`: no command prints them as JSON, or they are a part of another one (`TopGroups`)."""


@pytest.mark.parametrize("module", WITHOUT_DOCUMENT)
def test_records_have_a_dictionary_or_are_known_to_need_none(module: str) -> None:
    namespace = importlib.import_module(module)
    names = getattr(namespace, "__all__", None) or dir(namespace)
    public = {name: getattr(namespace, name) for name in names if name[0].isupper()}
    without = {
        name
        for name, cls in public.items()
        if isinstance(cls, type) and issubclass(cls, (Record, tuple)) and not hasattr(cls, "as_dict")
        if not issubclass(cls, cbpf.TypedInstruction)  # whose document is that of `RawInstruction`
    }
    assert without == set(WITHOUT_DOCUMENT[module])


def test_dictionaries_of_metadata_describe_equal_metadata() -> None:
    metadata = RECORDS["Metadata"]()
    assert metadata_of(metadata.as_dict()) == metadata
