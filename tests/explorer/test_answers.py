"""The answers of the explorer page, as the web worker gets them."""

import io
import json
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from time import sleep
from typing import Any
from warnings import catch_warnings, simplefilter

import pytest

import cbpf
from cbpf.explorer.answers import QUESTIONS, Answers
from cbpf.explorer.offsets import Offsets
from cbpf.explorer.programs import NOTATIONS
from support.command_line import TRAFFIC, CommandLine
from support.page_answers import ask, source

FRAME = "ffffffffffff 020000000001 0806 0001 0800 06 04 0001".replace(" ", "")


@pytest.fixture
def page() -> Answers:
    """A page with a capture."""
    page = Answers()
    with open(TRAFFIC, "rb") as file:
        json.loads(page.open_capture(file.read(), "traffic.pcap"))
    return page


@pytest.mark.parametrize(
    ("text", "notation"),
    [
        ("", "expression"),
        ("tcp port 80", "expression"),
        ("vlan", "expression"),
        ("ldh [12]\nret a", "program"),
        ("(000) ret #1", "program"),
        ("{ 0x6, 0, 0, 1 },", "program"),
        ("1\n6 0 0 1\n", "program"),
    ],
)
def test_the_notation_of_a_source_is_detected(text: str, notation: str) -> None:
    checked = ask("check", text)
    assert (checked["notation"], checked["problems"]) == (notation, [])


def test_every_error_of_an_expression_has_its_place() -> None:
    text = "arp\nor tcp prot 80 or ip[0 = 1"
    with pytest.raises(cbpf.ExpressionError) as caught:
        cbpf.compile(text)
    offsets = [(problem.line - 1) * 4 + problem.column - 1 for problem in caught.value.problems]
    problems = ask("check", text)["problems"]
    assert [problem["start"] for problem in problems] == offsets
    assert problems[0]["end"] == problems[0]["start"] + len("prot")


def test_every_error_of_a_program_has_its_place() -> None:
    checked = ask("check", "ldh [12]\njeqq #1\nret #0\nrte #1")
    assert checked["notation"] == "program"
    assert [problem["start"] for problem in checked["problems"]] == [9, 24]


def test_findings_of_the_verifier_name_the_instruction() -> None:
    problems = ask("check", "ldx #1\nst M[77]\n")["problems"]
    assert [problem["index"] for problem in problems] == [1, 1]


def test_offsets_count_utf16_units() -> None:
    (problem,) = ask("check", "tcp and \U0001f600")["problems"]
    assert (problem["start"], problem["end"]) == (8, 10)


@pytest.mark.parametrize(
    "text", ["\ud800", "tcp \ud83d", "\0", "<img src=x onerror=alert(1)>", "(" * 50_000, "not " * 20_000]
)
def test_hostile_texts_have_an_answer_in_one_line(text: str) -> None:
    checked = ask("check", text)
    messages = [checked["error"]] if "error" in checked else [problem["message"] for problem in checked["problems"]]
    assert messages
    assert not any("\n" in message for message in messages)


def test_texts_beyond_the_limit_are_not_compiled() -> None:
    (problem,) = ask("check", "tcp or " * 2_000_000)["problems"]
    assert "14,000,000 characters" in problem["message"]


def test_an_expression_has_at_most_500_errors() -> None:
    text = " or ".join(["host 1.2.3.400"] * 700)
    checked = ask("check", text)
    assert (len(checked["problems"]), checked["more"]) == (500, 200)
    places = {text[problem["start"] : problem["end"]] for problem in checked["problems"]}
    assert places == {"1.2.3.400"}


@pytest.mark.parametrize("text", ["", "a\nb", "\n\n", "é\n\U0001f600x\n\ud800\U0010ffff\r\n\ufffft", "\U0001f600" * 5])
def test_offsets_are_those_of_the_encoded_text(text: str) -> None:
    offsets = Offsets(text)
    for position in range(len(text) + 1):
        assert offsets.utf16(position) == len(text[:position].encode("utf-16-le", "surrogatepass")) // 2
        before = text[:position].split("\n")
        assert offsets.of(len(before), len(before[-1]) + 1) == position
    assert offsets.utf16(len(text) + 9) == offsets.utf16(len(text))
    assert (offsets.of(99, 1), offsets.of(1, 999)) == (len(text), len(text))


def test_threads_do_not_lose_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread at a time replaces the filters, and each restores those that it found."""
    compiled = cbpf.compile
    active: list[None] = []
    most: list[int] = []

    def compile_slowly(*arguments: Any, **options: Any) -> cbpf.Program:
        active.append(None)
        most.append(len(active))
        sleep(0.02)
        active.pop()
        return compiled(*arguments, **options)

    monkeypatch.setattr(cbpf, "compile", compile_slowly)
    before = (warnings.filters, warnings.showwarning)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ask("check", f"tcp port {number}"), range(8)))
    assert (max(most), len(most)) == (1, 8)
    assert (warnings.filters, warnings.showwarning) == before
    assert warnings.filters is before[0]


@pytest.mark.parametrize("question", sorted(QUESTIONS))
@pytest.mark.parametrize(
    "request_text", ["{}", '{"source": 7}', '{"source": {"text": 7}}', '{"source": {"dialect": "x"}}']
)
def test_invalid_requests_have_an_answer(question: str, request_text: str) -> None:
    assert isinstance(json.loads(Answers().answer(question, request_text)), dict)


def test_the_listing_is_that_of_the_command() -> None:
    answer = ask("program")
    listing = cbpf.listing(cbpf.compile("tcp port 443 or arp")).splitlines()
    assert answer["lines"] == [line[6:].expandtabs(8) for line in listing]
    assert answer["plain"]["clause"][-4:] == [1, 1, None, None]
    assert [clause["text"] for clause in answer["clauses"]] == ["tcp port 443", "arp"]


def test_clauses_belong_to_the_program_itself_without_the_optimiser() -> None:
    answer = json.loads(Answers().answer("program", json.dumps({"source": source("arp or ip", optimize=False)})))
    assert answer["plain"] is None
    assert answer["clause"] == [0, 0, 1, 1, None, None]


def test_the_graph_is_that_of_the_command() -> None:
    answer = ask("graph")
    assert answer["svg"] == cbpf.graph("tcp port 443 or arp").svg()
    assert [block["start"] for block in answer["blocks"]][:3] == [0, 2, 3]


def test_the_graph_counts_the_packets_of_the_capture(page: Answers) -> None:
    answer = ask("graph", "arp", page=page, heat=True)
    assert [block["executed"] for block in answer["blocks"]] == [905, 18, 887]


def test_long_programs_are_not_drawn() -> None:
    request = {"source": source("\n".join(["ld #1"] * 3_000 + ["ret a"]), optimize=False)}
    answer = json.loads(Answers().answer("graph", json.dumps(request)))
    assert (answer["svg"], "3,001 instructions" in answer["message"]) == (None, True)


def _lines(stage: dict[str, Any]) -> list[str]:
    """Return the listing of a stage of the optimiser: its changes without the removed lines."""
    return [line for sign, line in stage["changes"] if sign != "-"]


def test_the_passes_end_with_the_program() -> None:
    stages = ask("passes")["stages"]
    assert stages[0]["name"] == "plain code"
    assert _lines(stages[-1]) == ask("program")["lines"]


def test_the_passes_of_a_program_begin_with_its_text() -> None:
    text = "ld #1\nst M[2]\nldh [12]\njeq #0x806, yes, no\nyes: ret #1\nno: ret #0"
    stages = ask("passes", text)["stages"]
    assert stages[0]["size"] == len(cbpf.parse(text))
    assert stages[-1]["size"] == ask("check", text)["size"] < stages[0]["size"]


def test_the_changes_of_the_passes_lead_from_each_program_to_the_next() -> None:
    text = "tcp port 443 or (ip and not udp) or ip6 host ::1"
    stages = ask("passes", text)["stages"]
    assert len(stages) > 2
    assert {sign for sign, _ in stages[0]["changes"]} == {""}
    for before, stage in pairwise(stages):
        kept = [line.split(" jt ")[0].rstrip() for sign, line in stage["changes"] if sign != "+"]
        assert kept == [line.split(" jt ")[0].rstrip() for line in _lines(before)]
        assert len(_lines(stage)) == stage["size"]
        assert any(sign for sign, _ in stage["changes"]) or stage["size"] == before["size"]


def test_long_programs_are_compared_without_alignment() -> None:
    text = "\n".join(["2001", *["21 0 0 5"] * 1_999, "135 0 0 0", "22 0 0 0"])
    stages = ask("passes", text)["stages"]
    program = cbpf.parse(text)
    programs = [program, *(stage.program for stage in cbpf.optimization_stages(program))]
    listings = [cbpf.listing(each).expandtabs(8).splitlines() for each in programs]
    contents = [[line.split(" ", 1)[1].split() for line in listing] for listing in listings]
    assert [[line.split() for line in _lines(stage)] for stage in stages] == contents


@pytest.mark.parametrize("notation", NOTATIONS)
def test_notations_are_those_of_the_command(notation: str) -> None:
    with catch_warnings(record=True) as caught:
        simplefilter("always")
        expected = cbpf.render(cbpf.compile("tcp port 443 or arp"), notation)
    answer = ask("code", notation=notation)
    assert answer == {"text": expected, "message": "; ".join(str(warning.message) for warning in caught)}


def test_the_c_function_is_that_of_the_command() -> None:
    assert ask("code", notation="function")["text"] == cbpf.emit(cbpf.compile("tcp port 443 or arp"))


def test_the_llvm_text_is_that_of_the_command() -> None:
    assert ask("code", notation="llvm")["text"] == cbpf.emit(cbpf.compile("tcp port 443 or arp"), target="llvm")


def test_the_smallest_change_inverts_the_verdict() -> None:
    answer = ask("change", "arp", packet={"hex": FRAME})
    (change,) = answer["change"]["changes"]
    assert change["offset"] in (12, 13)
    assert cbpf.VM(cbpf.compile("arp")).run(bytes.fromhex(answer["change"]["packet"])) == 0


def test_a_change_of_more_bytes_needs_a_solver() -> None:
    request = json.dumps({"source": source("ip host 192.0.2.1"), "packet": {"hex": FRAME + "00" * 40}})
    code = (
        "import sys; sys.modules['bitwuzla'] = None; from cbpf.explorer.answers import Answers;"
        f" print(Answers().answer('change', {request!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert (answer["change"], "cbpf[smt]" in answer["unknown"]) == (None, True)


def test_programs_have_no_smallest_change() -> None:
    assert "for expressions" in ask("change", "ret #1", packet={"hex": FRAME})["error"]


def test_a_trace_has_the_steps_of_the_machine() -> None:
    answer = ask("trace", packet={"hex": FRAME})
    machine = cbpf.VM(cbpf.compile("tcp port 443 or arp"), engine="interpreter")
    assert answer["steps"] == [step.as_dict() for step in machine.trace(bytes.fromhex(FRAME))]
    assert answer["verdict"] == 262_144
    assert [part["outcome"] for part in answer["why"]["parts"]] == ["true", "false", "true"]
    assert answer["why"]["parts"][answer["why"]["deciding"]]["text"] == "arp"


def test_a_long_trace_has_its_first_steps_and_its_verdict() -> None:
    text = "\n".join(["ld #1", *["add #1"] * 6_000, "ret a"])
    request = {"source": source(text, optimize=False), "packet": {"hex": "00"}}
    answer = json.loads(Answers().answer("trace", json.dumps(request)))
    assert (len(answer["steps"]), answer["steps"][-1]["verdict"], answer["verdict"]) == (5_000, None, 6_001)


def test_a_trace_of_an_empty_packet_ends_at_its_first_load() -> None:
    answer = ask("trace", packet={"hex": ""})
    assert [step["fetched"]["value"] for step in answer["steps"]] == [None]
    assert answer["verdict"] == 0


@pytest.mark.parametrize("packet", [None, {"hex": "0"}, {"hex": "zz"}, {"number": 1}, {"hex": "00", "wire_length": -1}])
def test_invalid_packets_are_errors_in_one_line(packet: Any) -> None:
    assert "\n" not in ask("trace", packet=packet)["error"]


def test_documents_are_those_of_the_commands(page: Answers, cli: CommandLine) -> None:
    """The answers contain the same JSON values, and more for the page."""
    text = "tcp port 443 or arp"
    trace = ask("trace", text, page=page, packet={"number": 6})
    why = trace.pop("why")
    assert (trace.pop("captured"), trace.pop("captured_length")) == (trace["packet"], trace["wire_length"])
    assert trace == json.loads(cli("trace", "--json", "-n", "6", "-e", text, TRAFFIC).stdout)
    command = json.loads(cli("why", "--json", "-n", "6", "-r", TRAFFIC, text).stdout)
    assert {**why, "change": None, "unknown": ""} == {**command, "change": None, "unknown": ""}
    assert ask("change", text, page=page, packet={"number": 6}) == command
    graph = ask("graph", text)
    assert json.loads(cli("graph", "--json", "-e", text).stdout).items() <= graph.items()
    found = ask("lint", text)["findings"]
    lines = cli("lint", "--json", "--all", text).stdout.splitlines()
    assert [{**finding, **json.loads(line)} for finding, line in zip(found, lines, strict=True)] == found


PORTS = " or ".join(f"port {number}" for number in range(1, 40, 2))


@pytest.mark.parametrize(
    ("text", "options", "settings"),
    [
        ("arp", "-s 96", {"snaplen": 96}),
        ("arp", "-s 0", {"snaplen": 0}),
        ("ip broadcast", "--netmask 255.255.240.0", {"netmask": "255.255.240.0"}),
        (PORTS, "--goal speed", {"goal": "speed"}),
        ("vlan 5 and ip", "--live", {"live": True, "dialect": "linux"}),
        ("vlan 5 and ip", "--live -O -s 7", {"live": True, "dialect": "linux", "optimize": False, "snaplen": 7}),
        ("inbound", "--live -y LINUX_SLL2", {"live": True, "dialect": "linux", "link_type": "LINUX_SLL2"}),
    ],
)
def test_settings_are_the_options_of_the_command(
    cli: CommandLine, text: str, options: str, settings: dict[str, Any]
) -> None:
    request = json.dumps({"source": source(text, **settings), "notation": "c"})
    page = Answers()
    compiled = cli("compile", "-dd", *options.split(), text).stdout.decode()
    assert json.loads(page.answer("code", request))["text"] == compiled
    shown = json.loads(page.answer("program", request))
    plain = shown["plain"] or shown
    listing = cli("compile", "-O", *options.replace("-O", "").split(), text).stdout.decode().splitlines()
    assert [line.split() for line in plain["lines"]] == [line.split()[1:] for line in listing]


def test_the_goal_chooses_the_passes(cli: CommandLine) -> None:
    for goal in ("size", "speed"):
        request = json.dumps({"source": source(PORTS, goal=goal)})
        sizes = [stage["size"] for stage in json.loads(Answers().answer("passes", request))["stages"]]
        document = json.loads(cli("explain", "--json", "--goal", goal, PORTS).stdout)
        stages = (document["plain"], *document["stages"])
        assert sizes == [len(stage["program"]) for stage in stages]


def test_findings_of_a_live_source_are_those_of_the_command(cli: CommandLine) -> None:
    text, options = "vlan and ip broadcast or vlan", ["--live", "--netmask", "255.0.0.0"]
    request = json.dumps({"source": source(text, live=True, dialect="linux", netmask="255.0.0.0")})
    found = json.loads(Answers().answer("lint", request))["findings"]
    lines = cli("lint", "--json", "--all", *options, text).stdout.splitlines()
    assert [{**finding, **json.loads(line)} for finding, line in zip(found, lines, strict=True)] == found


TAGGED = "ffffffffffff 020000000001 8100 0005 0800".replace(" ", "") + "45" + "00" * 30


def test_a_live_source_runs_on_the_packets_of_a_socket(cli: CommandLine, tmp_path: Path) -> None:
    path = str(tmp_path / "tagged.pcap")
    cbpf.write_capture(path, [bytes.fromhex(TAGGED), bytes.fromhex(FRAME)])
    page = Answers()
    page.open_capture(Path(path).read_bytes(), "tagged.pcap")
    for text in ("vlan 5 and ip", "ip", "arp", "len = 45"):
        request = {"source": source(text, live=True, dialect="linux"), "packet": {"number": 1}}
        trace = json.loads(page.answer("trace", json.dumps(request)))
        why = trace.pop("why")
        assert (trace.pop("captured"), trace.pop("captured_length")) == (TAGGED, len(TAGGED) // 2)
        options = ["--as-socket", "--dialect", "linux", "-e", text]
        assert trace == json.loads(cli("trace", "--json", *options, path).stdout)
        command = json.loads(cli("why", "--json", "--as-socket", "-r", path, text).stdout)
        assert {**why, "change": None, "unknown": ""} == {**command, "change": None, "unknown": ""}
        answer = json.loads(page.answer("verdicts", json.dumps(request)))
        expected = cbpf.capture_verdicts(path, text, dialect=cbpf.LINUX, as_socket=True)
        assert answer["verdicts"] == list(chain(*expected))
        counts = json.loads(page.answer("graph", json.dumps({**request, "heat": True})))
        assert counts["blocks"][0]["executed"] == 2


def test_packets_of_a_capture_are_judged_with_the_netmask() -> None:
    frames = [bytes.fromhex(f"{FRAME[:24]}0800") + bytes([0x45, *bytes(15), 192, 0, 2, end]) for end in (15, 255, 1)]
    target = io.BytesIO()
    cbpf.write_capture(target, frames)
    page = Answers()
    page.open_capture(target.getvalue(), "broadcast.pcap")
    for netmask in ("255.255.255.240", "255.255.255.0"):
        request = {"source": source("ip broadcast", netmask=netmask)}
        machine = cbpf.VM(cbpf.compile("ip broadcast", netmask=netmask))
        verdicts = [machine.evaluate(frame) for frame in frames]
        assert [bool(verdict) for verdict in verdicts] != [False] * 3
        assert json.loads(page.answer("verdicts", json.dumps(request)))["verdicts"] == verdicts


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"snaplen": -1}, "not a length"),
        ({"snaplen": 1 << 32}, "not a length"),
        ({"snaplen": True}, "expected a whole number"),
        ({"snaplen": 7.0}, "expected a whole number"),
        ({"goal": "beauty"}, "unknown goal; expected one of size, speed"),
        ({"live": 1}, "expected true or false"),
        ({"netmask": 7}, "expected text"),
    ],
)
def test_invalid_settings_are_errors_in_one_line(settings: dict[str, Any], message: str) -> None:
    answer = json.loads(Answers().answer("check", json.dumps({"source": source("arp", **settings)})))
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"netmask": "255.0.0"}, "netmask: '255.0.0' is not an IPv4 netmask"),
        ({"live": True}, "live: True requires dialect=LINUX, not pcap"),
    ],
)
def test_settings_that_the_compiler_rejects_are_problems(settings: dict[str, Any], message: str) -> None:
    answer = json.loads(Answers().answer("check", json.dumps({"source": source("arp", **settings)})))
    (problem,) = answer["problems"]
    assert problem["message"].startswith(message)
    assert (problem["start"], problem["end"]) == (0, 0)


def test_the_graph_counts_packets_with_their_length_on_the_wire() -> None:
    target = io.BytesIO()
    cbpf.write_capture(target, [(bytes(20), 100), (bytes(20), 20)])
    page = Answers()
    page.open_capture(target.getvalue(), "short.pcap")
    blocks = ask("graph", "greater 60", page=page, heat=True)["blocks"]
    assert [block["executed"] for block in blocks] == [2, 1, 1]


@pytest.mark.parametrize(("link_type", "executed", "accepted"), [("EN10MB", 3, 1), ("RAW", 2, 2), ("PPP", 0, 0)])
def test_the_graph_counts_the_packets_of_the_link_type(link_type: str, executed: int, accepted: int) -> None:
    """Packets of a second interface have another link type, for which the page compiles another program."""
    ethernet = (bytes.fromhex(FRAME), bytes(60), bytes(12) + b"\x08\x00\x45" + bytes(45))
    given = [*((0, data) for data in ethernet), *[(1, b"\x45" + bytes(59))] * 2]
    packets = [cbpf.Packet(number, 0, len(data), data, interface) for number, (interface, data) in enumerate(given, 1)]
    interfaces = [cbpf.Interface(cbpf.link_type(name), 262_144, "<") for name in ("EN10MB", "RAW")]
    target = io.BytesIO()
    cbpf.write_capture(target, packets, interfaces=interfaces, container="pcapng")
    page = Answers()
    page.open_capture(target.getvalue(), "two.pcapng")
    settings = {"link_type": link_type}
    blocks = ask("graph", "ip", page=page, heat=True, settings=settings)["blocks"]
    assert blocks[0]["executed"] == executed
    verdicts = ask("verdicts", "ip", page=page, settings=settings)["verdicts"]
    first = 0 if link_type == "EN10MB" else 3
    assert sum(map(bool, verdicts[first : first + executed])) == accepted
    assert [block["executed"] for block in blocks[1:]] == [accepted, executed - accepted]
    assert ask("graph", "ret #1", page=page, heat=True)["blocks"][0]["executed"] == 5


def test_the_verdicts_are_those_of_the_filter(page: Answers) -> None:
    answer = ask("verdicts", page=page)
    assert answer["verdicts"] == list(chain(*cbpf.capture_verdicts(TRAFFIC, "tcp port 443 or arp")))
    assert answer["accepted"] == sum(map(bool, answer["verdicts"]))


def test_an_opened_capture_lists_at_most_1000_packets() -> None:
    target = cbpf_capture(1_500)
    answer = json.loads(Answers().open_capture(target, "<b>name</b>.pcap"))
    assert (len(answer["packets"]), answer["has_more"], answer["damage"]) == (1_000, True, "")


def test_a_truncated_capture_lists_its_complete_packets() -> None:
    answer = json.loads(Answers().open_capture(cbpf_capture(3)[:-5], "cut.pcap"))
    assert len(answer["packets"]) == 2
    assert "cut.pcap" in answer["damage"]


def test_other_files_are_no_captures() -> None:
    assert "\n" not in json.loads(Answers().open_capture(b"hello", "note.txt"))["error"]


def cbpf_capture(count: int) -> bytes:
    target = io.BytesIO()
    cbpf.write_capture(target, [bytes.fromhex(FRAME)] * count)
    return target.getvalue()


def test_two_programs_are_aligned_and_compared_on_the_capture(page: Answers) -> None:
    answer = ask("compare", "arp or ip", page=page, other=source("arp"))
    sides = [[line for line in side if line is not None] for side in zip(*answer["rows"], strict=True)]
    assert [len(side) for side in sides] == [len(cbpf.compile("arp or ip")), len(cbpf.compile("arp"))]
    accepted = chain(*cbpf.capture_verdicts(TRAFFIC, "ip"))
    assert [row["number"] for row in answer["packets"]] == [n for n, verdict in enumerate(accepted, 1) if verdict]


def test_names_of_services_are_known_and_hosts_are_not() -> None:
    assert ask("program", "tcp port http")["lines"] == ask("program", "tcp port 80")["lines"]
    assert ask("check", "host example.net")["problems"]
