"""The verifier: every rule of every dialect by its identifier, all findings at once."""

import pickle

import pytest

import cbpf
from cbpf import LINUX, PCAP, SECCOMP, Dialect
from support import random_programs
from support.judges import libpcap
from support.project import ENGINES, Rounds

RETURN = "ret #1"

# identifier, dialect, program, index
REJECTED = [
    ("too-long", LINUX, "\n".join([RETURN] * 4097), None),
    ("too-long", SECCOMP, "\n".join([RETURN] * 4097), None),
    ("opcode", PCAP, "{ 0x0e, 0, 0, 0 }\nret a", 0),
    ("opcode", PCAP, "{ 0x8c, 0, 0, 0 }\nret a", 0),
    ("opcode", PCAP, "{ 0x100, 0, 0, 0 }\nret a", 0),
    ("opcode", LINUX, "{ 0x21, 0, 0, 0 }\nret a", 0),
    ("opcode", SECCOMP, "ldh [0]\nret a", 0),
    ("opcode", SECCOMP, "ldb [x + 0]\nret a", 0),
    ("opcode", SECCOMP, "ldx 4*([0]&0xf)\nret a", 0),
    ("opcode", SECCOMP, "mod #3\nret a", 0),
    ("opcode", SECCOMP, "mod x\nret a", 0),
    ("division-by-zero", PCAP, "div #0\nret a", 0),
    ("division-by-zero", LINUX, "mod #0\nret a", 0),
    ("wide-shift", LINUX, "lsh #32\nret a", 0),
    ("wide-shift", SECCOMP, "rsh #0xffffffff\nret a", 0),
    ("scratch-slot", PCAP, "st M[16]\nret a", 0),
    ("scratch-slot", LINUX, "ldx M[0xffffffff]\nret a", 0),
    ("jump-target", PCAP, "jeq #0,1\nret a", 0),
    ("jump-target", LINUX, "jeq #0,0,255\nret a", 0),
    ("jump-target", LINUX, "ja 1\nret a", 0),
    ("jump-target", PCAP, "ja 0x7fffffff\nret a", 0),
    ("backward-jump", PCAP, "ld #0\nja 0xfffffffe\nret a", 1),
    ("backward-jump", LINUX, "ja 0xffffffff\nret a", 0),
    ("no-return", PCAP, "ld #0", 0),
    ("no-return", LINUX, "ret a\ntax", 1),
    ("unknown-extension", LINUX, "ld [0xfffff001]\nret a", 0),
    ("unknown-extension", LINUX, "ldb [0xfffff040]\nret a", 0),
    ("record-load", SECCOMP, "ld [64]\nret a", 0),
    ("record-load", SECCOMP, "ld [2]\nret a", 0),
    ("record-load", SECCOMP, "ld [0xfffff000]\nret a", 0),
    ("scratch-unwritten", LINUX, "ld M[0]\nret a", 0),
    ("scratch-unwritten", SECCOMP, "ldx M[3]\nret a", 0),
    ("scratch-unwritten", LINUX, "jeq #0,0,1\nst M[0]\nld M[0]\nret a", 2),
    # As in the kernel, a ret does not end a path: no slot is written before it, so L may read an unwritten slot.
    ("scratch-unwritten", LINUX, "jeq #0,0,2\nst M[0]\nja L\nret #0\nL: ld M[0]\nret a", 4),
    ("scratch-unwritten", LINUX, "ret #0\nld M[0]\nret a", 1),
    ("scratch-unwritten", LINUX, "ja L\nst M[0]\nL: ld M[0]\nret a", 2),
    ("translated-jump", LINUX, "ja 2731\n" + "ldb [0]\n" * 2731 + "ret a", 0),
]

ACCEPTED = [
    (LINUX, "\n".join([RETURN] * 4096)),
    (PCAP, "\n".join([RETURN] * 5000)),
    (PCAP, "lsh #32\nld M[5]\nld [0xfffff001]\nret a"),
    (PCAP, "ja 0\nret a\nldx #len\nld #xor_x\nret #0"),
    (LINUX, "jeq #0,P,Q\nP: st M[0]\nja L\nQ: st M[0]\nL: ld M[0]\nret a"),
    (LINUX, "jeq #0,P,R\nP: st M[0]\nld M[0]\nret a\nR: ret #0"),
    (LINUX, "ja L\nld M[0]\nL: ret a"),
    (LINUX, "jeq #0,L,L\nld M[0]\nL: ret a"),
    (LINUX, "ldx 4*([0xfffff001]&0xf)\nldb [x + 0xffffffff]\nldb [0x80000000]\nret a"),
    (LINUX, "jeq #0,0,1\nret a\n{ 0x16, 1, 2, 3 }"),
    (LINUX, "ja 2730\n" + "ldb [0]\n" * 2730 + "ret a"),
    (SECCOMP, "ld [60]\nld #len\nldx #len\nxor x\nneg\nst M[0]\nld M[0]\nret a"),
]


@pytest.mark.parametrize(("identifier", "dialect", "text", "index"), REJECTED)
def test_rejected_programs(identifier: str, dialect: Dialect, text: str, index: int | None) -> None:
    findings = cbpf.findings(cbpf.parse(text), dialect=dialect)
    assert (identifier, index) in {(finding.identifier, finding.index) for finding in findings}
    for finding in findings:
        assert str(finding) == str(finding).strip()
        assert "\n" not in str(finding)
        assert finding.fact
        assert finding.rule


@pytest.mark.parametrize(("dialect", "text"), ACCEPTED)
def test_accepted_programs(dialect: Dialect, text: str) -> None:
    assert cbpf.findings(cbpf.parse(text), dialect=dialect) == ()
    cbpf.verify(cbpf.parse(text), dialect=dialect)


@pytest.mark.parametrize("dialect", [PCAP, LINUX, SECCOMP], ids=lambda dialect: dialect.name)
def test_the_empty_program_is_rejected(dialect: Dialect) -> None:
    (finding,) = cbpf.findings([], dialect=dialect)
    assert (finding.identifier, finding.index) == ("empty", None)


def test_all_findings_are_reported_in_order() -> None:
    program = cbpf.parse("ld M[16]\ndiv #0\njeq #0,9\nld M[0]\nlsh #40\nld [0xfffff002]")
    with pytest.raises(cbpf.VerificationError) as caught:
        cbpf.verify(program, dialect=LINUX)
    positions = [(finding.index, finding.identifier) for finding in caught.value.findings]
    assert positions == [
        (0, "scratch-slot"),
        (1, "division-by-zero"),
        (2, "jump-target"),
        (3, "scratch-unwritten"),
        (4, "wide-shift"),
        (5, "no-return"),
        (5, "unknown-extension"),
    ]
    assert str(caught.value).endswith("(and 6 more)")
    assert pickle.loads(pickle.dumps(caught.value)).findings == caught.value.findings


def test_findings_have_place_fact_and_rule() -> None:
    (finding,) = cbpf.findings(cbpf.parse("jeq #0,8\nret a"))
    text = "instruction 0: jump target 9 is past the end; the last instruction is 1 [jump-target]"
    assert str(finding) == text


def test_dialects_are_immutable_values() -> None:
    with pytest.raises(AttributeError):
        PCAP.longest = 5  # type: ignore[misc]
    short = PCAP.replace(longest=2)
    assert cbpf.findings(cbpf.parse("tax\ntax\nret a"), dialect=short)[0].identifier == "too-long"
    assert pickle.loads(pickle.dumps(LINUX)) == LINUX


@pytest.mark.parametrize(
    "change",
    [
        {"byte_order": "middle"},
        {"opcodes": {6}},
        {"opcodes": frozenset({6, 0x99})},
        {"longest": "5"},
        {"longest": 0},
        {"scratch_written": 1},
        {"wrapping_offsets": False},
    ],
    ids=str,
)
def test_invalid_dialects_are_rejected(change: dict[str, object]) -> None:
    with pytest.raises(cbpf.FieldError, match=r"Dialect\."):
        LINUX.replace(**change)


def test_a_name_is_not_a_dialect() -> None:
    with pytest.raises(cbpf.FieldError, match=r"'linux' is not a Dialect; use cbpf\.LINUX"):
        cbpf.findings([cbpf.RetA()], dialect="linux")  # type: ignore[arg-type]


@pytest.mark.skipif(libpcap.available() is not None, reason=str(libpcap.available()))
@pytest.mark.fuzz
def test_random_programs_in_libpcap(rounds: Rounds) -> None:
    """Compare with libpcap's bpf_validate and bpf_filter, apart from the exceptions of `dialects.PCAP`."""
    for random in rounds(3000, min_checked=0.6):
        make = random_programs.plausible if random.random() < 0.6 else random_programs.wild
        program = make(random, extensions=())
        if any(op not in PCAP.opcodes for op, _, _, _ in program):
            continue
        identifiers = {finding.identifier for finding in cbpf.findings(program)} - {"backward-jump"}
        assert libpcap.accepts(program) is not bool(identifiers), program
        if identifiers or not _is_defined_in_c(program):
            continue
        rounds.checked()
        packet, wire_length = random_programs.packet(random), int(random.random() * 2**32)
        expected = libpcap.verdict(program, packet, wire_length)
        for engine in ENGINES:
            vm = cbpf.VM(program, engine=engine)
            assert vm.evaluate(packet, wire_length=wire_length) == expected, (engine, program, packet.hex())


def _is_defined_in_c(program: list[tuple[int, int, int, int]]) -> bool:
    """Return whether a program has no wide constant shift, backward jump, or read of unwritten scratch.

    Older versions of libpcap do not clear scratch slots.
    """
    undefined = {"wide-shift", "scratch-unwritten", "backward-jump"}
    return not undefined & {finding.identifier for finding in cbpf.findings(program, dialect=LINUX)}
