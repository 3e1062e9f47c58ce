"""`explain_verdict`: the outcomes of clauses, the deciding clause, and the smallest change that inverts the verdict."""

import sys
from collections.abc import Iterator, Sequence
from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Final

import pytest

import cbpf
from cbpf.proofs import terms
from support.project import ROOT, Rounds
from support.random_choices import below, pick
from support.random_expressions import expression
from support.random_frames import frame
from support.wireless_expressions import wireless_expression

ETHERNET: Final = bytes.fromhex("ffffffffffff 020000000001")
UDP: Final = ETHERNET + bytes.fromhex("0800 4500001c00000000 40110000 c0000201 c0000202 1234 0035 0008 0000")
"""A DNS query from 192.0.2.1 to 192.0.2.2, without content."""


def _packets() -> tuple[cbpf.Packet, ...]:
    with cbpf.read_capture(str(ROOT / "examples" / "traffic.pcap")) as capture:
        return tuple(capture)


PACKETS: Final = _packets()


def _value(parts: Iterator[cbpf.ExplainedPart], operands: dict[cbpf.ExplainedPart, int]) -> bool | None:
    """Return the value of the next part by three-valued logic, without short cuts; None if it is not evaluated."""
    part = next(parts)
    if part.kind == "clause":
        return {"true": True, "false": False}.get(part.outcome)
    values = [_value(parts, operands) for _ in range(operands[part])]
    if part.kind == "not":
        return None if values[0] is None else not values[0]
    decisive = part.kind == "or"
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def _operands(parts: Sequence[cbpf.ExplainedPart]) -> dict[cbpf.ExplainedPart, int]:
    """Return the number of operands of each part, from the depths of the parts after it."""
    counts = {}
    for index, part in enumerate(parts):
        inner = []
        for other in parts[index + 1 :]:
            if other.depth <= part.depth:
                break
            inner.append(other)
        counts[part] = sum(other.depth == part.depth + 1 for other in inner)
    return counts


def _check_parts(why: cbpf.VerdictExplanation) -> None:
    """Check that the outcomes of the clauses explain the verdict and the outcomes of all junctions."""
    counts = _operands(why.parts)
    for index, part in enumerate(why.parts):
        if part.outcome in ("true", "false"):
            assert _value(iter(why.parts[index:]), counts) is (part.outcome == "true"), (why.expression, part)
    ended = [part for part in why.clauses if part.outcome in ("bytes missing", "division by zero")]
    evaluated = [part for part in why.clauses if part.outcome != "not evaluated"]
    assert why.deciding == (evaluated[-1] if evaluated else None)
    assert ended in ([], [why.deciding])
    if why.parts and not ended:
        assert why.accepts is (why.parts[0].outcome == "true")
    assert not (ended and why.accepts)


def _packet(random: Random) -> bytes:
    data = pick(random, PACKETS).data if random.random() < 0.7 else frame(random)
    return data[: below(random, len(data) + 1)] if random.random() < 0.2 else data


def test_verdicts_are_those_of_the_compiled_expression(rounds: Rounds) -> None:
    for random in rounds(240, min_checked=0.5):
        text = expression(random)
        try:
            program = cbpf.compile(text, optimizer=None)
        except cbpf.ExpressionError:
            continue
        rounds.checked()
        packet = _packet(random)
        wire_length = len(packet) + below(random, 3)
        why = cbpf.explain_verdict(text, packet, wire_length=wire_length, timeout=1e-9)
        assert why.accepts is bool(cbpf.VM(program).evaluate(packet, wire_length=wire_length)), text
        _check_parts(why)


def test_outcomes_of_clauses_are_verdicts_of_the_clauses(rounds: Rounds) -> None:
    """Without headers that shift the others, each clause alone is an expression with the outcome as its verdict."""
    for random in rounds(120, min_checked=0.4):
        text = expression(random, max_primitives=5)
        packet = _packet(random)
        try:
            why = cbpf.explain_verdict(text, packet, timeout=1e-9)
        except cbpf.ExpressionError:
            continue
        if "vlan" in text:
            continue
        rounds.checked()
        for clause in why.clauses:
            if clause.outcome != "not evaluated":
                alone = cbpf.VM(cbpf.compile(clause.text, optimizer=None)).run(packet)
                assert bool(alone) is (clause.outcome == "true"), (text, clause.text)


@pytest.mark.parametrize("link_type", ["IEEE802_11_RADIO", "PPI", "PRISM_HEADER", "PFLOG", "RAW", "NULL", "PPP"])
def test_headers_of_other_link_types_are_measured(link_type: str, rounds: Rounds) -> None:
    for random in rounds(40):
        text = wireless_expression(random) if link_type.startswith(("IEEE", "PPI", "PRISM")) else expression(random)
        try:
            program = cbpf.compile(text, link_type=link_type, optimizer=None)
        except cbpf.ExpressionError:
            continue
        packet = bytes(pick(random, (0, 0, 8, 0x20, 0x45, 0x69, 105, 255)) for _ in range(below(random, 200)))
        why = cbpf.explain_verdict(text, packet, link_type=link_type, timeout=1e-9)
        assert why.accepts is bool(cbpf.VM(program).run(packet)), text
        _check_parts(why)


def test_packets_without_the_headers_are_rejected_by_the_measurements() -> None:
    why = cbpf.explain_verdict("wlan host 02:00:00:00:00:01", bytes(40), link_type="PPI")
    assert (why.accepts, why.deciding, why.clauses[0].outcome) == (False, None, "not evaluated")
    assert [(load.position, load.size, load.value) for load in why.measured] == [(4, 4, 0)]
    why = cbpf.explain_verdict("wlan host 02:00:00:00:00:01", bytes(3), link_type="PPI")
    assert [load.value for load in why.measured] == [None]


def test_loads_and_the_deciding_clause() -> None:
    why = cbpf.explain_verdict("arp or ip[8] > 100 or dst port 53 and not udp", UDP)
    assert [(part.depth, part.text, part.outcome) for part in why.parts] == [
        (0, "and", "false"),
        (1, "or", "true"),
        (2, "arp", "false"),
        (2, "ip[8] > 100", "false"),
        (2, "dst port 53", "true"),
        (1, "not", "false"),
        (2, "udp", "true"),
    ]
    assert why.deciding is why.parts[-1]
    assert why.expression[slice(*why.deciding.span)] == "udp"
    loads = [(load.position, load.size, load.value) for load in why.parts[3].loads]
    assert loads == [(12, 2, 0x800), (22, 1, 64)]


def test_runs_that_end_early() -> None:
    missing = cbpf.explain_verdict("not (ether[50] = 1 or arp) or ip", UDP)
    assert [part.outcome for part in missing.parts] == [*["bytes missing"] * 4, "not evaluated", "not evaluated"]
    assert missing.deciding is not None
    assert missing.deciding.loads == (cbpf.Fetched(50, 1, None),)
    division = cbpf.explain_verdict("1 / ether[40] = 0 or ip", UDP.replace(b"\x00\x08\x00\x00", bytes(4)))
    assert [part.outcome for part in division.parts] == ["division by zero", "division by zero", "not evaluated"]
    assert not division.accepts


def test_long_lists_are_one_clause() -> None:
    addresses = " or ".join(f"192.0.2.{number}" for number in range(40))
    why = cbpf.explain_verdict(f"udp and host ({addresses})", UDP)
    assert [clause.text for clause in why.clauses] == [
        "udp",
        "host (192.0.2.0 or ... or 192.0.2.39: 40 identifiers)",
    ]
    assert [clause.outcome for clause in why.clauses] == ["true", "true"]
    negated = " and ".join(f"not host 192.0.2.{number}" for number in range(40))
    why = cbpf.explain_verdict(negated, UDP)
    assert (why.accepts, why.clauses[0].outcome) == (False, "false")


def test_deep_expressions_are_explained() -> None:
    text = "not (" * 5000 + "arp" + ")" * 5000
    why = cbpf.explain_verdict(text, UDP)
    assert (why.accepts, len(why.parts), why.parts[-1].depth) == (False, 5001, 5000)


def test_captures_contain_the_address_families_of_other_systems() -> None:
    packet = bytes.fromhex("00000018 60")
    interface = cbpf.Interface(cbpf.link_type("NULL"), 65535, ">")
    assert cbpf.explain_verdict("ip6", packet, link_type=interface).accepts
    assert not cbpf.explain_verdict("ip6", packet, link_type="NULL").accepts


# The smallest change


def _single_flip(vm: cbpf.VM, packet: bytes, accepts: bool) -> bool:
    """Return whether a change of one byte, anywhere in the packet, inverts the verdict: by trying all."""
    changed = [
        packet[:offset] + bytes([value]) + packet[offset + 1 :] for offset in range(len(packet)) for value in range(256)
    ]
    return any(bool(verdict) is not accepts for verdict in vm.verdicts(changed))


def test_changes_invert_the_verdict_and_no_single_byte_does_if_they_are_longer(rounds: Rounds) -> None:
    for random in rounds(24, min_checked=0.4):
        text, packet = expression(random, max_primitives=3), pick(random, PACKETS).data[:60]
        try:
            vm = cbpf.VM(cbpf.compile(text))
        except cbpf.ExpressionError:
            continue
        rounds.checked()
        why = cbpf.explain_verdict(text, packet, timeout=20)
        assert why.accepts is bool(vm.run(packet))
        if why.unknown:
            continue
        is_single = why.change is not None and len(why.change.changes) == 1
        assert _single_flip(vm, packet, why.accepts) is is_single, text
        if why.change is not None:
            assert bool(vm.run(why.change.packet)) is not why.accepts
            changes = [(change.offset, change.old, change.new) for change in why.change.changes]
            pairs = enumerate(zip(packet, why.change.packet, strict=True))
            assert changes == [(offset, old, new) for offset, (old, new) in pairs if old != new]


@pytest.mark.parametrize(
    ("text", "packet", "size"),
    [
        ("ether[0] = 1 and ether[1] = 2 and ether[2] = 3", bytes(4), 3),
        ("ether[0] = 1 and ether[1] = 2 and ether[2] = 3", bytes([1, 0, 0, 0]), 2),
        ("ether[0:2] = 0x101 or ether[0] = 1 and ether[1:2] = 0x202 and ether[3] = 0", bytes(4), 3),
        ("ether[0:2] = 0x101 or (ether[0] = 1 and ether[1:2] = 0x202)", bytes(4), 2),
        ("ether[0] + ether[1] = 400", bytes(4), 2),
        ("ether[ether[0] & 1] = 9 and ether[ether[0] >> 6] = 8", bytes([64, 0, 0, 1]), 3),
        ("ether[0] & ether[1] & ether[2] & ether[3] = 0", bytes([255] * 4), 1),
        ("not (ether[0] = 0 or ether[1] = 0)", bytes(4), 2),
        ("ether[0] = 1 and ether[0] = 2", bytes(4), None),
        ("len > 4 or ether[9] = 0", bytes(4), None),
    ],
)
def test_no_smaller_change_exists(text: str, packet: bytes, size: int | None) -> None:
    """All changes of fewer bytes are tried; values that no test of the expression distinguishes are left out."""
    vm = cbpf.VM(cbpf.compile(text, optimizer=None))
    change = cbpf.explain_verdict(text, packet).change
    assert (None if change is None else len(change.changes)) == size
    accepts = bool(vm.run(packet))
    values = (0, 1, 2, 3, 8, 9, 64, 129, 145, 192, 200, 255)
    for count in range(1, size or 5):
        for offsets in combinations(range(4), count):
            for new in product(values, repeat=count):
                changed = bytearray(packet)
                for offset, value in zip(offsets, new, strict=True):
                    changed[offset] = value
                assert bool(vm.run(changed)) is accepts, (offsets, new)
    if change is not None:
        assert change.is_smallest
        assert bool(vm.run(change.packet)) is not accepts


def test_changes_name_the_clauses_that_they_invert() -> None:
    why = cbpf.explain_verdict("udp dst port 54 or host 192.0.2.9 and icmp", UDP)
    assert why.change is not None
    effects = {change.offset: [(part.text, part.outcome) for part in change.parts] for change in why.change.changes}
    assert effects == {23: [("icmp", "true")], 29: [("host 192.0.2.9", "true")]}
    (change,) = cbpf.explain_verdict("not udp", UDP).change.changes  # type: ignore[union-attr]
    assert [(part.text, part.outcome) for part in change.parts] == [("udp", "false")]


def test_headers_keep_their_lengths_if_possible() -> None:
    why = cbpf.explain_verdict("tcp dst port 80", UDP)
    assert why.change is not None
    assert [change.offset for change in why.change.changes] == [23, 37]


def test_missing_answers_have_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    late = cbpf.explain_verdict("tcp dst port 80", UDP, timeout=1e-9)
    assert (late.change, late.unknown) == (None, "timed out after 1e-09 seconds; increase timeout")
    monkeypatch.setitem(sys.modules, "bitwuzla", None)
    terms._library.cache_clear()
    try:
        single = cbpf.explain_verdict("udp dst port 80", UDP)
        assert single.change is not None
        assert single.change.packet == UDP[:37] + b"\x50" + UDP[38:]
        missing = cbpf.explain_verdict("tcp dst port 80", UDP)
        assert (missing.change, missing.unknown) == (None, "proofs need bitwuzla: pip install 'cbpf[smt]'")
    finally:
        terms._library.cache_clear()


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timeout": "1"}, {"wire_length": -1}, {"link_type": "no such"}, {"netmask": "x"}]
)
def test_arguments_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(cbpf.FieldError):
        cbpf.explain_verdict("ip", b"", **options)  # type: ignore[arg-type]


def test_errors_of_expressions_are_raised() -> None:
    with pytest.raises(cbpf.ExpressionError, match="column 5"):
        cbpf.explain_verdict("tcp prot 80", UDP)
    with pytest.raises(cbpf.FieldError, match="is not text"):
        cbpf.explain_verdict(b"ip", UDP)  # type: ignore[arg-type]
    with pytest.raises(cbpf.PacketError):
        cbpf.explain_verdict("ip", "text")


# Source maps


def test_instructions_have_the_clause_that_they_were_made_for(traffic: Path) -> None:
    mapped = cbpf.source_map("arp or tcp port 80 and not vlan 5")
    assert [clause.text for clause in mapped.clauses] == ["arp", "tcp port 80", "vlan 5"]
    assert mapped.program == cbpf.Program(cbpf.compile("arp or tcp port 80 and not vlan 5", optimizer=None))
    texts = mapped.texts()
    assert len(texts) == len(mapped.program)
    assert list(dict.fromkeys(texts)) == ["arp", "tcp port 80", "vlan 5", ""]
    indices = [index for clause in mapped.clauses for index in clause.instructions]
    assert indices == list(range(len(mapped.program) - 2))
    with cbpf.read_capture(str(traffic)) as capture:
        capture.look_ahead()
        interface = capture.interfaces[0]
    assert cbpf.source_map("arp", link_type=interface).program[-2] == cbpf.RetConstant(interface.snaplen).assemble()


# Coverage


def test_coverage_counts_the_outcomes_of_explanations(rounds: Rounds) -> None:
    names = {"true": "true", "false": "false", "not evaluated": "not_evaluated"}
    for random in rounds(20, min_checked=0.4):
        text, packets = expression(random), [_packet(random) for _ in range(5)]
        try:
            coverage = cbpf.clause_coverage(text, packets)
        except cbpf.ExpressionError:
            continue
        rounds.checked()
        for index, clause in enumerate(coverage):
            explained = [cbpf.explain_verdict(text, packet, finds_change=False).clauses[index] for packet in packets]
            assert {part.span for part in explained} == {clause.span}
            outcomes = [names.get(part.outcome, "ended") for part in explained]
            for name in (*names.values(), "ended"):
                assert getattr(clause, name) == outcomes.count(name)


def test_coverage_names_the_outcome_that_is_missing() -> None:
    packets = [cbpf.SocketView(UDP, 100, cbpf.Metadata()), UDP[:13]]
    coverage = cbpf.clause_coverage("(udp or ip6) and len = 100 and not tcp", packets)
    assert [(clause.text, clause.missing()) for clause in coverage] == [
        ("udp", "never false"),
        ("ip6", "never evaluated"),
        ("len = 100", "never false"),
        ("tcp", "never true"),
    ]
    assert [clause.ended for clause in coverage] == [1, 0, 0, 0]
    (constant, other) = cbpf.clause_coverage("ip and tcp", [bytes(40)], link_type="IPV4")
    assert (constant.is_constant, constant.true, constant.missing()) == (True, 1, "")
    assert (other.is_constant, other.missing()) == (False, "never true")


def _texts_and_outcomes(why: cbpf.VerdictExplanation) -> list[tuple[int, str, str]]:
    return [(part.depth, part.text, part.outcome) for part in why.parts]


def test_lists_are_clauses_before_those_of_the_text() -> None:
    listed = cbpf.Expression("port 53 or udp", hosts=["192.0.2.0/24", "2001:db8::1"], ports=[80], direction="dst")
    why = cbpf.explain_verdict(listed, UDP)
    assert _texts_and_outcomes(why) == [
        (0, "and", "false"),
        (1, "dst host (a list of 2 ranges)", "true"),
        (1, "dst port (a list of 1 range)", "false"),
        (1, "or", "not evaluated"),
        (2, "port 53", "not evaluated"),
        (2, "udp", "not evaluated"),
    ]
    assert (why.expression, why.deciding) == ("port 53 or udp", why.parts[2])
    assert why.change is not None
    assert [(change.offset, change.new) for change in why.change.changes] == [(37, 80)]
    assert why.accepts == bool(cbpf.VM(cbpf.compile(listed)).evaluate(UDP))
    alone = cbpf.explain_verdict(cbpf.Expression(hosts=["192.0.2.1"]), UDP)
    assert _texts_and_outcomes(alone) == [(0, "host (a list of 1 range)", "true")]
    assert cbpf.explain_verdict(cbpf.Expression(), UDP).parts == ()


@pytest.mark.parametrize(
    ("text", "outcomes", "changes"),
    [
        ("inbound", ["false"], None),
        ("outbound and port 80", ["false", "true", "false"], [(37, 80)]),
        ("ifindex 7 and inbound", ["false", "true", "false"], None),
        ("outbound and not (udp or tcp)", ["false", "true", "false", "true", "true", "not evaluated"], [(23, 0)]),
        (
            "outbound and ip6 and ether[40:2] = 5",
            ["false", "true", "false", "not evaluated"],
            [(12, 134), (13, 221), (40, 0), (41, 5)],
        ),
    ],
)
def test_metadata_decide_clauses_and_do_not_change(
    text: str, outcomes: list[str], changes: list[tuple[int, int]] | None
) -> None:
    metadata = cbpf.Metadata(packet_type=4, device=cbpf.Device(7, 1))
    why = cbpf.explain_verdict(text, UDP, metadata=metadata)
    assert [part.outcome for part in why.parts] == outcomes
    program = cbpf.compile(text, dialect=cbpf.LINUX)
    assert why.accepts == bool(cbpf.VM(program, dialect=cbpf.LINUX).evaluate(UDP, metadata=metadata))
    if changes is None or len(changes) > 1:
        pytest.importorskip("bitwuzla")
    if changes is None:
        assert (why.change, why.unknown) == (None, "")
    else:
        assert why.change is not None
        assert {change.offset for change in why.change.changes} <= {offset for offset, _ in changes}


def test_lists_of_packets_with_metadata_may_be_longer_than_the_programs_of_a_socket() -> None:
    hosts = cbpf.Expression(hosts=[f"10.{number >> 8}.{number & 255}.0/25" for number in range(3000)])
    why = cbpf.explain_verdict(hosts, UDP, metadata=cbpf.Metadata(), finds_change=False)
    assert [part.outcome for part in why.parts] == ["false"]
