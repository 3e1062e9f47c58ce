"""Proofs of equivalence and counterexamples, judged by other engines, by the oracle and by the kernel."""

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cbpf
from cbpf.isa.verdicts import accepts
from support import oracle, random_programs
from support.corpus_filters import CORPUS, Filter
from support.judges import kernel
from support.libpcap_release import needs_libpcap
from support.project import ENGINES, Rounds, uncovered_environment
from support.proofs import HARD, program, replay
from support.random_programs import is_predictable

DIALECTS = (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)
PACKET_EXTENSIONS = (0xFFFFF00C, 0xFFFFF010, 0xFFFFF034)  # nla, nlan, poff: the oracle does not compute them

# The expressions for which libpcap's optimiser changes a verdict: it removes or moves loads, which changes the set of
# truncated packets that are rejected.
CHANGED_BY_LIBPCAP = {
    "ip6 net 2001:db8::/32",
    "tcp port 80 or tcp port 443 or tcp port 8080 or tcp port 8443",
    "tcp port (80 or 443) and host (192.0.2.1 or 192.0.2.2 or 192.0.2.3)",
    "(ip or ip6) and (tcp port 443 or udp port 53 or tcp port 22) and not net 10.1.0.0/16",
    "udp port 67 or udp port 68",
    "esp or ah or udp port 500 or udp port 4500",
    "not (tcp port 22 and host 192.0.2.9) and not arp and not stp",
    " or ".join(f"host 192.0.2.{number}" for number in range(1, 9)),
}


def assert_real(left: Any, right: Any, counterexample: cbpf.Difference, dialect: cbpf.Dialect = cbpf.PCAP) -> None:
    """Assert that a counterexample has different verdicts, which both programs return."""
    assert counterexample.left_verdict != counterexample.right_verdict
    assert replay(left, counterexample, dialect) == counterexample.left_verdict
    assert replay(right, counterexample, dialect) == counterexample.right_verdict


@pytest.mark.parametrize("filter", CORPUS, ids=str)
def test_libpcaps_optimiser_changes_the_listed_expressions(filter: Filter) -> None:
    if filter.expression == "ip multicast":
        needs_libpcap(1, 10, 5)  # earlier releases accept other addresses
    plain, optimized = filter.program(), filter.program("libpcap")
    counterexample = cbpf.difference(plain, optimized, longest=262_144)
    assert (counterexample is not None) == (filter.expression in CHANGED_BY_LIBPCAP)
    if counterexample is not None:
        assert_real(plain, optimized, counterexample)
        assert len(counterexample.packet) < 80
        for side, verdict in ((plain, counterexample.left_verdict), (optimized, counterexample.right_verdict)):
            assert oracle.verdict(list(side), counterexample.packet, "pcap", counterexample.wire_length) == verdict


# Description, dialect, left, right, whether the programs are equivalent.
REWRITES = [
    ("a mask of all bits", "pcap", "ld [0];and #0xffffffff;ret a", "ld [0];ret a", True),
    ("a byte has no higher bits", "pcap", "ldb [0];and #0xff;ret a", "ldb [0];ret a", True),
    ("a byte has eight bits", "pcap", "ldb [0];and #0x7f;ret a", "ldb [0];ret a", False),
    ("division by a power of two", "pcap", "ld [0];div #8;ret a", "ld [0];rsh #3;ret a", True),
    ("another power of two", "pcap", "ld [0];div #8;ret a", "ld [0];rsh #2;ret a", False),
    ("division by X rejects 0", "pcap", "ldx #0;ld #5;div x;ret #1", "ret #0", True),
    ("x / x is not always 1", "pcap", "ld [0];tax;div x;ret a", "ld [0];ret #1", False),
    ("x / x is 0 for 0", "pcap", "ld [0];tax;div x;ret a", "ld [0];jeq #0,0,1;ret #0;ret #1", True),
    ("a removed load accepts short packets", "pcap", "ldb [9];ret #1", "ret #1", False),
    ("a later load makes an earlier one redundant", "pcap", "ldb [3];ldb [9];ret a", "ldb [9];ret a", True),
    ("an earlier load does not make a later one redundant", "pcap", "ldb [9];ldb [3];ret a", "ldb [3];ret a", False),
    ("two halves", "pcap", "ldh [0];lsh #16;tax;ldh [2];or x;ret a", "ld [0];ret a", True),
    ("byte order", "pcap", "ldb [0];tax;ldb [1];lsh #8;or x;ret a", "ldh [0];ret a", False),
    ("msh", "pcap", "ldb [0];and #15;lsh #2;tax;txa;ret a", "ldx 4*([0]&0xf);txa;ret a", True),
    ("scratch slots store words", "pcap", "ld [0];st M[3];ld #7;ld M[3];ret a", "ld [0];ret a", True),
    ("unwritten scratch is 0", "pcap", "ld M[3];ret a", "ret #0", True),
    ("length is the wire length", "pcap", "ld len;jge #100,0,1;ldb [99];ret #1", "ld len;ret #1", False),
    (
        "the captured length is at most the wire length",
        "pcap",
        "ldb [99];ld len;jge #100,0,1;ret #1;ret #0",
        "ldb [99];ret #1",
        True,
    ),
    ("sums that wrap are outside of the packet", "pcap", "ldx #0xffffffff;ldb [x + 1];ret #1", "ret #0", True),
    ("sums wrap", "linux", "ldx #0xffffffff;ldb [x + 1];ret a", "ldb [0];ret a", True),
    ("an indirect load at a constant", "pcap", "ldx #4;ldh [x + 2];ret a", "ldh [6];ret a", True),
    ("wide shifts result in 0", "pcap", "ldx #33;ld [0];lsh x;ret a", "ld [0];ret #0", True),
    ("wide shifts are taken modulo 32", "linux", "ldx #33;ld [0];lsh x;ret a", "ld [0];lsh #1;ret a", True),
    ("negation", "pcap", "ld [0];neg;ret a", "ld [0];xor #0xffffffff;add #1;ret a", True),
    ("distribution", "pcap", "ld [0];mul #3;ret a", "ld [0];tax;add x;add x;ret a", True),
    ("x + x", "pcap", "ld [0];mul #3;ret a", "ld [0];tax;add x;ret a", False),
    ("unsigned", "pcap", "ld [0];jge #0x80000000,0,1;ret #1;ret #0", "ld [0];rsh #31;ret a", True),
    ("jset", "pcap", "ldb [0];jset #4,0,1;ret #1;ret #0", "ldb [0];and #4;rsh #2;ret a", True),
    ("marks", "linux", "ld mark;ret a", "ld mark;add #0;ret a", True),
    ("marks are not the hash", "linux", "ld mark;ret a", "ld rxhash;ret a", False),
    ("type has three bits", "linux", "ld type;and #7;ret a", "ld type;ret a", True),
    ("type does not have two bits", "linux", "ld type;and #3;ret a", "ld type;ret a", False),
    ("queue has 16 bits", "linux", "ld queue;and #0xffff;ret a", "ld queue;ret a", True),
    ("without a tag, tci is 0", "linux", "ld vlan_avail;jeq #0,0,1;ld vlan_tci;ret a", "ld vlan_avail;ret a", True),
    ("without a device the verdict is A", "linux", "ld #7;ld ifidx;ret #7", "ret #7", True),
    ("without a device A may be 0", "linux", "ld ifidx;ret #7", "ret #7", False),
    ("a payload offset is any number", "linux", "ld poff;ret a", "ld poff;and #0xffff;ret a", False),
    ("equal draws are equal", "linux", "ld rand;ret a", "ld rand;ret a", True),
    ("draws differ", "linux", "ld rand;tax;ld rand;sub x;ret a", "ret #0", False),
    ("a removed draw shifts the others", "linux", "ld rand;ld rand;ret a", "ld rand;ret a", False),
    (
        "draws are counted along the path",
        "linux",
        "ld rand;jset #1,0,1;ld rand;ld rand;ret a",
        "ld rand;jset #1,2;ld rand;ret a;ld rand;ld rand;ret a",
        True,
    ),
    ("xor_x", "linux", "ld [4];tax;ld [0];ld [0xfffff028];ret a", "ld [4];tax;ld [0];xor x;ret a", True),
    ("the network header has any position", "linux", "ldb [0xfff00000];ret a", "ldb [0];ret a", False),
    (
        "bytes of the network header are consecutive",
        "linux",
        "ldb [0xfff00001];ret a",
        "ldh [0xfff00000];and #255;ret a",
        True,
    ),
    ("a link header is optional", "linux", "ldb [0xffe00000];ret #1", "ret #1", False),
    ("netlink attributes begin inside the packet", "linux", "ld #0x7fffffff;ldx #1;ld nla;ret a", "ret #0", True),
    ("a netlink type has 14 bits", "linux", "ld #4;ldx #0x4001;ld nla;ret a", "ret #0", True),
    ("a netlink attribute", "linux", "ld #4;ldx #5;ld nla;ret a", "ret #0", False),
    ("nested", "linux", "ld #4;ldx #5;ld nlan;ret a", "ld #4;ldx #5;ld nla;ret a", False),
    ("records are little-endian", "seccomp", "ld [16];and #0xff;ret a", "ld [16];lsh #24;rsh #24;ret a", True),
    ("words of a record are independent", "seccomp", "ld [16];ret a", "ld [20];ret a", False),
    ("length is 64", "seccomp", "ld len;ret a", "ret #64", True),
]


@pytest.mark.parametrize(
    ("description", "dialect", "left", "right", "equal"), REWRITES, ids=lambda value: str(value)[:40]
)
def test_rewrites_are_proved_or_refuted(description: str, dialect: str, left: str, right: str, equal: bool) -> None:
    rules = cbpf.DIALECTS[dialect]
    left_program, right_program = program(left), program(right)
    counterexample = cbpf.difference(left_program, right_program, dialect=rules)
    assert (counterexample is None) == equal, (description, counterexample)
    assert cbpf.equivalent(left_program, right_program, dialect=rules) == equal
    if counterexample is not None:
        assert_real(left_program, right_program, counterexample, rules)


@pytest.mark.parametrize(
    "expression", ["ip", "tcp port 80", "ip[8] < 10", "vlan 100", "less 128", "src net 10.1.0.0/16"]
)
def test_mutated_instructions_are_refuted(expression: str, full_length: bool) -> None:
    """Mutants that are proved equivalent have equal verdicts on the test packets of both programs."""
    right = cbpf.compile(expression, optimizer=None)
    tests = cbpf.cases(right)
    vm = cbpf.VM(right)
    differ = 0
    mutants = _mutants(right)
    for mutant in mutants if full_length else mutants[::2]:
        if cbpf.findings(mutant):
            continue
        counterexample = cbpf.difference(right, mutant)
        if counterexample is not None:
            differ += 1
            assert_real(right, mutant, counterexample)
            continue
        mutant_vm = cbpf.VM(mutant)
        for case in (*tests, *cbpf.cases(mutant)):
            assert mutant_vm.evaluate(case.packet, wire_length=case.wire_length) == vm.evaluate(
                case.packet, wire_length=case.wire_length
            )
    assert differ > (2 if full_length else 1) * len(right)


def _mutants(right: cbpf.Program) -> list[list[Any]]:
    """Return programs in which one instruction is changed or removed."""
    rows: list[Any] = [tuple(raw) for raw in right]
    mutants = []
    for index, (op, jt, jf, k) in enumerate(rows):
        replaced = (
            (op, jf, jt, k),
            (op, jt, jf, k ^ 1),
            (op, jt, jf, k + 1),
            (op ^ 0x10, jt, jf, k),
            (op, jt + 1, jf, k),
        )
        mutants += [[*rows[:index], row, *rows[index + 1 :]] for row in replaced if row != rows[index]]
        mutants.append(rows[:index] + rows[index + 1 :])
    return mutants


def _random_pair(random: Random) -> tuple[cbpf.Dialect, Any, Any]:
    """Return a dialect with a random program and a mutant of it, which it both accepts."""
    while True:
        dialect = DIALECTS[int(random.random() * 3)]
        if dialect is cbpf.SECCOMP:
            left = random_programs.seccomp(random)
        else:
            left = random_programs.plausible(random, extensions=random_programs.EXTENSIONS)
        right = random_programs.mutated(random, left)
        if not (cbpf.findings(left, dialect=dialect) or cbpf.findings(right, dialect=dialect)):
            return dialect, left, right


def _random_packet(random: Random, dialect: cbpf.Dialect) -> bytes:
    if dialect is cbpf.SECCOMP:
        return bytes(int(random.random() * 256) for _ in range(64))
    return random_programs.packet(random)


@pytest.mark.fuzz
def test_random_pairs_are_proved_or_refuted(rounds: Rounds) -> None:
    """Random packets do not refute a proof; the oracle and the kernel reproduce each counterexample."""
    for random in rounds(400, min_checked=0.8):
        dialect, left, right = _random_pair(random)
        try:
            counterexample = cbpf.difference(left, right, dialect=dialect, timeout=5)
        except cbpf.Undecided:
            continue
        rounds.checked()
        if counterexample is not None:
            assert_real(left, right, counterexample, dialect)
            _check_with_judges(dialect, left, right, counterexample)
            continue
        vms = [cbpf.VM(program, dialect=dialect) for program in (left, right)]
        for _ in range(50):
            packet = _random_packet(random, dialect)
            metadata = cbpf.Metadata(seed=int(random.random() * 2**64), mark=int(random.random() * 2**32))
            verdicts = {vm.evaluate(packet, metadata=metadata) for vm in vms}
            assert len(verdicts) == 1, (dialect, left, right, packet.hex(), metadata)


def _check_with_judges(dialect: cbpf.Dialect, left: Any, right: Any, counterexample: cbpf.Difference) -> None:
    """Assert that the oracle and the kernel return the verdicts of a counterexample with default metadata."""
    if counterexample.metadata != cbpf.Metadata():
        return
    for side, verdict in ((left, counterexample.left_verdict), (right, counterexample.right_verdict)):
        if not any(k in PACKET_EXTENSIONS for _, _, _, k in side):
            assert oracle.verdict(side, counterexample.packet, dialect.name, counterexample.wire_length) == verdict
        # Longer packets may be in nonlinear buffers.
        is_linear = counterexample.wire_length == len(counterexample.packet) in range(1, 1000)
        if dialect is cbpf.LINUX and is_linear and kernel.available() is None and is_predictable(side):
            assert kernel.verdict(side, counterexample.packet) == verdict, (side, counterexample)
        if dialect is cbpf.SECCOMP and kernel.seccomp_available() is None:
            _check_with_seccomp(side, counterexample.packet, verdict)


def _check_with_seccomp(program: Any, record: bytes, verdict: int) -> None:
    words = [int.from_bytes(record[start : start + 4], "little") for start in range(0, 64, 4)]
    if words[0] == random_programs.SYSTEM_CALL and words[1] == 0xC000003E:
        arguments = [low | high << 32 for low, high in zip(words[4::2], words[5::2], strict=True)]
        assert kernel.seccomp_value(program, words[0], arguments) == verdict


def test_kernel_reproduces_a_counterexample_for_a_system_call() -> None:
    if kernel.seccomp_available() is not None:
        pytest.skip(str(kernel.seccomp_available()))
    head = "ld [4];jeq #0xc000003e,0,4;ld [0];jeq #1000,0,2;ld [24];"
    left = program(head + "jgt #7,1,0;ret #0x7fff0000;ret #0x50005")
    right = program(head + "jgt #8,1,0;ret #0x7fff0000;ret #0x50005")
    counterexample = cbpf.difference(left, right, dialect=cbpf.SECCOMP)
    assert counterexample is not None
    assert counterexample.packet[24:32] == (8).to_bytes(8, "little")
    _check_with_seccomp([tuple(raw) for raw in left], counterexample.packet, 0x50005)
    _check_with_seccomp([tuple(raw) for raw in right], counterexample.packet, 0x7FFF0000)


def test_every_engine_uses_the_draws_of_metadata() -> None:
    sampled = program("ld rand;tax;ld rand;sub x;ret a")
    for engine in ENGINES:
        vm = cbpf.VM(sampled, dialect=cbpf.LINUX, engine=engine)
        assert vm.evaluate(b"", metadata=cbpf.Metadata(draws=(5, 12))) == 7
        mixed = vm.evaluate(b"", metadata=cbpf.Metadata(draws=(5,), seed=1))
        second = vm.evaluate(b"", metadata=cbpf.Metadata(draws=(0,), seed=1))
        assert (mixed + 5) % 2**32 == second
    with pytest.raises(cbpf.FieldError, match=r"Metadata.draws\[1\]: -1 is not an unsigned"):
        cbpf.Metadata(draws=(0, -1))
    with pytest.raises(cbpf.FieldError, match=r"Metadata.draws: 5 is not a tuple of numbers"):
        cbpf.Metadata(draws=5)  # type: ignore[arg-type]


def test_implication_is_not_symmetric() -> None:
    web, tcp = cbpf.compile("tcp port 80"), cbpf.compile("tcp")
    assert cbpf.implies(web, tcp)
    assert not cbpf.implies(tcp, web)
    counterexample = cbpf.difference(tcp, web, relation="implies", verdicts="accept")
    assert counterexample is not None
    assert counterexample.left_verdict > 0 == counterexample.right_verdict


def test_verdicts_are_compared_exactly_or_by_acceptance() -> None:
    all_bytes, some = program("ldb [0];ret #65535"), program("ldb [0];ret #96")
    assert not cbpf.equivalent(all_bytes, some)
    assert cbpf.equivalent(all_bytes, some, verdicts="accept")
    assert cbpf.implies(all_bytes, some)
    assert not cbpf.implies(all_bytes, some, verdicts="exact")
    assert cbpf.implies(program("ret #0"), some, verdicts="exact")


def test_system_calls_are_accepted_if_they_run() -> None:
    allowed, logged, denied = (program(f"ret #{verdict:#x}") for verdict in (0x7FFF0000, 0x7FFC0001, 0x50001))
    assert cbpf.equivalent(allowed, logged, dialect=cbpf.SECCOMP, verdicts="accept")
    assert not cbpf.equivalent(allowed, denied, dialect=cbpf.SECCOMP, verdicts="accept")
    assert cbpf.implies(denied, allowed, dialect=cbpf.SECCOMP)
    assert [accepts(verdict, cbpf.SECCOMP) for verdict in (0x7FFF0000, 0x7FFC0001, 0x50001, 0, 0xFFFFFFFF)] == [
        *(True, True),
        *(False, False, False),
    ]


def test_proofs_are_limited_to_the_given_lengths() -> None:
    needs_ten, needs_none = program("ldb [9];ret #1"), program("ret #1")
    assert not cbpf.equivalent(needs_ten, needs_none)
    assert cbpf.equivalent(needs_ten, needs_none, shortest=10)
    assert cbpf.equivalent(needs_ten, program("ret #0"), longest=9)
    counterexample = cbpf.difference(needs_ten, needs_none, shortest=3, longest=9)
    assert counterexample is not None
    assert len(counterexample.packet) == 3
    assert cbpf.equivalent(program("ldb [300000];ret #1"), program("ret #0"))
    assert not cbpf.equivalent(program("ldb [300000];ret #1"), program("ret #0"), longest=0xFF_FFFF)


def test_counterexamples_are_small_with_default_metadata() -> None:
    web, mail = cbpf.compile("tcp port 80"), cbpf.compile("tcp port 25")
    counterexample = cbpf.difference(web, mail)
    assert counterexample is not None
    assert counterexample.metadata == cbpf.Metadata()
    assert counterexample.wire_length == len(counterexample.packet)
    nonzero = [index for index, byte in enumerate(counterexample.packet) if byte]
    assert len(counterexample.packet) <= 58
    assert len(nonzero) <= 6
    moved = cbpf.difference(
        program("ldx 4*([0xfff00000]&0xf);ldb [x + 0xfff00001];ret a"), program("ret #0"), dialect=cbpf.LINUX
    )
    assert moved is not None
    assert moved.metadata == cbpf.Metadata()


def test_missing_answer_is_not_equality() -> None:
    with pytest.raises(cbpf.Undecided, match=r"^timed out after 0.2 seconds; increase timeout$"):
        cbpf.difference(*HARD, timeout=0.2)
    with pytest.raises(cbpf.Undecided):
        cbpf.equivalent(*HARD, timeout=0.2)
    with pytest.raises(cbpf.Undecided):
        cbpf.difference(cbpf.compile("tcp port 80"), cbpf.compile("tcp port 25"), timeout=1e-9)


def test_counterexample_outside_of_the_netlink_model_is_undecided() -> None:
    """Four attributes without data, of type 1, precede one of type 5, whereas the model ends after the third."""
    header = "".join(f"ld [{offset}];jeq #0x04000100,1;ret #0;" for offset in range(0, 16, 4))
    fifth = program(header + "ld #0;ldx #5;ld nla;jeq #16,0,1;ret #1;ret #0")
    message = r"^the counterexample depends on netlink attributes beyond the third, which are not modelled$"
    with pytest.raises(cbpf.Undecided, match=message):
        cbpf.difference(fifth, program("ret #0"), dialect=cbpf.LINUX)
    packet = bytes.fromhex("04000100" * 4 + "04000500")
    assert cbpf.VM(fifth, dialect=cbpf.LINUX).run(packet) == 1


def test_ctrl_c_interrupts_a_proof() -> None:
    code = (
        "import cbpf, os, signal, threading\n"
        "from support.proofs import HARD\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n    cbpf.difference(*HARD, timeout=60)\n"
        "except KeyboardInterrupt:\n    print('stopped')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=uncovered_environment(),
    )
    assert result.stdout == "stopped\n", result.stderr


def test_invalid_arguments_are_rejected() -> None:
    ip = cbpf.compile("ip")
    invalid: list[tuple[dict[str, Any], str]] = [
        ({"relation": "same"}, "relation: 'same' is not one of 'equal', 'implies'"),
        ({"verdicts": "all"}, "verdicts: 'all' is not one of 'exact', 'accept'"),
        ({"dialect": "linux"}, "dialect: 'linux' is not a Dialect; use cbpf.LINUX"),
        ({"shortest": -1}, r"shortest: -1 is not a length in bytes"),
        ({"longest": 2**24}, r"longest: 16777216 is not a length in bytes \(0..16777215\)"),
        ({"shortest": 9, "longest": 8}, "shortest: 9 bytes exceed longest, 8 bytes"),
        ({"timeout": 0}, "timeout: 0 is not a number of seconds above 0"),
        ({"timeout": "1"}, "timeout: '1' is not a number"),
        ({"timeout": float("nan")}, "timeout: nan is not a number"),
    ]
    for options, message in invalid:
        with pytest.raises(cbpf.FieldError, match=message):
            cbpf.difference(ip, ip, **options)
    with pytest.raises(cbpf.VerificationError):
        cbpf.difference(ip, [])
    with pytest.raises(cbpf.VerificationError):
        cbpf.difference(cbpf.compile("ip[0] = 1"), ip, dialect=cbpf.SECCOMP)
    with pytest.raises(cbpf.FieldError):
        cbpf.difference(ip, None)  # type: ignore[arg-type]
    assert cbpf.difference(ip, ip, timeout=None) is None


_COMPARISON = "import cbpf; cbpf.equivalent([(6, 0, 0, 0)], [(6, 0, 0, 1)])"


def test_missing_library_is_named() -> None:
    code = f"import sys; sys.modules['bitwuzla'] = None; {_COMPARISON}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = result.stderr.splitlines()[-1]
    assert last == "cbpf.errors.MissingLibrary: proofs need bitwuzla: pip install 'cbpf[smt]'"


@pytest.mark.parametrize("kind", ["ImportError", "OSError"])
def test_library_that_cannot_be_loaded_is_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "bitwuzla.py").write_text(f"raise {kind}('libgmp.so: cannot open')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {_COMPARISON}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    fact = "proofs cannot use the installed bitwuzla (libgmp.so: cannot open): pip install 'cbpf[smt]'"
    assert result.stderr.splitlines()[-1] == f"cbpf.errors.MissingLibrary: {fact}"
