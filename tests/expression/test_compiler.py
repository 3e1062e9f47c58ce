"""The compiler of expressions: both bindings of libpcap, link types, and the rejection of invalid input."""

import json
import struct
import sys
import warnings
from typing import Any

import pytest

import cbpf
import cbpf.expression.libpcap
from cbpf.errors import MissingLibrary
from cbpf.expression.libpcap import Compiler, Handle, cypcap_compiler, system_compiler
from cbpf.packet.link_types import link_types
from support.libpcap_release import needs_libpcap
from support.project import TESTS

GOLDEN = json.loads((TESTS / "golden" / "tcpdump.json").read_text())["programs"]


def _compiler(name: str) -> Compiler:
    try:
        return {"cypcap": cypcap_compiler, "system": system_compiler}[name]()
    except MissingLibrary as error:
        pytest.skip(str(error))


# Since libpcap 1.10.5, `ip multicast` no longer accepts 240.0.0.0/4.
CHANGED_IN_LIBPCAP = {"ip multicast"}


@pytest.mark.parametrize("name", ["cypcap", "system"])
@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row['expression'][:40]}-{row['optimized']}")
def test_both_bindings_compile_to_the_program_of_tcpdump(name: str, row: dict[str, Any]) -> None:
    """The golden programs are those of libpcap 1.10.3; cypcap's newer libpcap may differ only in its optimiser."""
    dlt = cbpf.link_type(row["link_type"]).dlt
    rows = _compiler(name)(row["expression"], Handle(dlt, 262144), row["optimized"], 0)
    text = cbpf.render(cbpf.Program(rows), "decimal").strip()
    if name == "system" or not (row["optimized"] or row["expression"] in CHANGED_IN_LIBPCAP):
        assert text == row["ddd"].strip()
    else:
        assert cbpf.findings(rows) == ()


@pytest.mark.parametrize("name", ["cypcap", "system"])
def test_both_bindings_reject_the_same_expressions(name: str) -> None:
    compile_expression = _compiler(name)
    with pytest.raises(cbpf.ExpressionError, match="syntax error"):
        compile_expression("tcp port", Handle(1, 100), False, 0)
    with pytest.raises(cbpf.ExpressionError, match="expression rejects all packets"):
        compile_expression("ip and not ip", Handle(1, 100), True, 0)


def test_empty_expression_accepts_all_packets() -> None:
    assert cbpf.compile("") == cbpf.Program([cbpf.RetConstant(262144)])
    assert cbpf.compile("  ", snaplen=96) == cbpf.Program([cbpf.RetConstant(96)])


@pytest.mark.parametrize("optimizer", ["cbpf", "libpcap"])
def test_rejecting_all_packets_compiles_to_a_constant_with_a_warning(optimizer: Any) -> None:
    if optimizer == "libpcap":
        needs_libpcap()
    with pytest.warns(cbpf.ExpressionWarning, match="rejects all packets"):
        program = cbpf.compile("ip and not ip", optimizer=optimizer, frontend=optimizer)
    assert program == cbpf.Program([cbpf.RetConstant(0)])


def test_unoptimised_code_does_not_cause_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(cbpf.compile("ip and not ip", optimizer=None)) > 1


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("tcp port", "column 9: the expression ends here; expected a port number or a service name"),
        ("tcp\0 port 80", "column 4: NUL character"),
        ("host no-such-name.invalid", "no-such-name.invalid"),
        ("tcp protochain 6", "'tcp' cannot precede 'protochain'"),
        ("ip broadcast", "requires the netmask of the network"),
        ("vlan 5000", "5000"),
        ("wlan type mgt", "802.11"),
        ("(" * 20, "column 21: the expression ends here; expected a primitive such as"),
        ("ip host 999.1.1.1", "999"),
        ("tcp[0:3] = 1", "a size is 1, 2 or 4 bytes"),
        ("ip[0] / 0 = 1", "division by 0"),
        ("host \udcff", "column 6: lone surrogate '\\udcff'; the text must be encodable as UTF-8"),
    ],
)
def test_errors_are_one_line_with_the_expression(expression: str, message: str) -> None:
    with pytest.raises(cbpf.ExpressionError) as caught:
        cbpf.compile(expression)
    text = str(caught.value)
    assert message in text
    assert text.startswith(f"expression {expression!r}: ")
    assert "\n" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        {"link_type": "EN10GB"},
        {"link_type": -1},
        {"link_type": 2**32},
        {"link_type": None},
        {"link_type": 1.9},
        {"link_type": True},
        {"link_type": "\u00b2"},
        {"link_type": "9" * 5000},
        {"snaplen": -1},
        {"snaplen": 2**32},
        {"snaplen": 1.5},
        {"snaplen": True},
        {"netmask": "255.0"},
        {"netmask": -1},
        {"optimizer": "llvm"},
    ],
)
def test_invalid_arguments_are_rejected(arguments: dict[str, Any]) -> None:
    with pytest.raises(cbpf.FieldError):
        cbpf.compile("ip", **arguments)


def test_bytes_are_not_an_expression() -> None:
    with pytest.raises(cbpf.FieldError, match="is not text"):
        cbpf.compile(b"ip")  # type: ignore[arg-type]


def test_length_is_limited_for_libpcap_only() -> None:
    """libpcap takes minutes for expressions of this length, and crashes at three times the length."""
    text = "ip or " * 11667 + "ip"
    with pytest.raises(
        cbpf.ExpressionError, match=r"^expression 'ip or .*'\.\.\.: has 70004 characters; at most 65535"
    ):
        cbpf.compile(text, frontend="libpcap")
    assert cbpf.compile(text) == cbpf.compile("ip")


@pytest.mark.parametrize("front_end", ["cbpf", "libpcap"])
def test_deep_expressions(front_end: Any) -> None:
    for text in ("(" * 10_001 + "tcp" + ")" * 10_001, "not " * 10_002 + "tcp"):
        if front_end == "cbpf":
            assert cbpf.compile(text) == cbpf.compile("tcp")
        else:
            with pytest.raises(cbpf.ExpressionError, match="memory exhausted"):
                cbpf.compile(text, frontend=front_end)


def test_a_chain_of_headers_causes_a_warning() -> None:
    with pytest.warns(cbpf.ExpressionWarning, match="8 extension headers"):
        program = cbpf.compile("ip6 protochain 6")
    options = bytes([60, 0]) + bytes(6), bytes([6, 0]) + bytes(6)
    frame = bytes(12) + b"\x86\xdd" + bytes(6) + b"\x00" + bytes(33) + b"".join(options) + bytes(20)
    vm = cbpf.VM(program)
    assert vm.run(frame)
    assert not vm.run(frame.replace(bytes([6, 0]), bytes([17, 0])))


def test_netmask_is_text_or_a_number() -> None:
    program = cbpf.compile("ip broadcast", netmask="255.255.255.0")
    assert program == cbpf.compile("ip broadcast", netmask=0xFFFFFF00)
    frame = bytes(12) + b"\x08\x00" + bytes(16)
    vm = cbpf.VM(program)
    assert vm.run(frame + bytes([192, 0, 2, 255]))
    assert not vm.run(frame + bytes([192, 0, 2, 1]))


def test_snaplen_is_the_verdict_on_accepted_packets() -> None:
    assert cbpf.VM(cbpf.compile("ip", snaplen=96)).run(bytes(12) + b"\x08\x00") == 96


def _header(byte_order: str, linktype: int) -> bytes:
    return struct.pack(f"{byte_order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 96, linktype)


@pytest.mark.parametrize("name", ["cypcap", "system"])
@pytest.mark.parametrize("expression", ["inbound", "outbound", "ifindex 3", "inbound and tcp"])
def test_primitives_of_live_sockets_are_rejected_for_captures(name: str, expression: str) -> None:
    with pytest.raises(cbpf.ExpressionError, match="when reading savefiles"):
        _compiler(name)(expression, Handle(1, 96, _header("<", 1)), False, 0)
    assert cbpf.compile(expression)


@pytest.mark.parametrize("name", ["cypcap", "system"])
def test_byte_order_of_a_capture_determines_the_program(name: str) -> None:
    """The address family before each packet of DLT_NULL is in the byte order of the capturing host."""
    compile_expression = _compiler(name)
    programs = [compile_expression("ip", Handle(0, 96, _header(order, 0)), False, 0) for order in "<>"]
    frame = bytes.fromhex("02000000 4500")
    assert [cbpf.VM(program).run(frame) for program in programs] == [96, 0]
    assert [cbpf.VM(program).run(frame[3::-1] + frame[4:]) for program in programs] == [0, 96]


def test_cooked_captures_record_the_direction() -> None:
    frame = bytes.fromhex("0004") + bytes(14)
    assert cbpf.VM(cbpf.compile("outbound", link_type="LINUX_SLL")).run(frame)


@pytest.mark.parametrize(
    ("name", "dlt", "linktype"),
    [("EN10MB", 1, 1), ("RAW", 12, 101), ("LINUX_SLL2", 276, 276), ("PPP_BSDOS", 16, 103), ("ATM_RFC1483", 11, 100)],
)
def test_link_types_have_a_name_and_numbers(name: str, dlt: int, linktype: int) -> None:
    link_type = cbpf.link_type(name)
    assert link_type == (name, dlt, linktype)
    for spelling in (name.lower(), f"DLT_{name}", f"LINKTYPE_{name}", linktype, str(linktype), link_type):
        assert cbpf.link_type(spelling) == link_type


def test_link_types_equal_those_of_libpcap() -> None:
    import ctypes

    from cbpf._libpcap import system_libpcap

    try:
        library = system_libpcap()
    except MissingLibrary as error:
        pytest.skip(str(error))
    library.pcap_datalink_name_to_val.argtypes = (ctypes.c_char_p,)
    shared = 0
    for link_type in link_types():
        value = library.pcap_datalink_name_to_val(link_type.name.encode())
        if value != -1:
            shared += 1
            assert value == link_type.dlt
    assert shared > 150
    assert len({link_type.name for link_type in link_types()}) == len(link_types())


def test_unknown_link_type_is_named_by_its_number() -> None:
    link_type = cbpf.link_type(9999)
    assert link_type == ("9999", 9999, 9999)
    with pytest.raises(cbpf.ExpressionError, match="link type 9999 has no filter expressions"):
        cbpf.compile("ip", link_type=link_type)


def test_missing_libpcap_is_reported_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Compiler:
        raise MissingLibrary("not installed")

    monkeypatch.setattr(cbpf.expression.libpcap, "cypcap_compiler", missing)
    monkeypatch.setattr(cbpf.expression.libpcap, "system_compiler", missing)
    cbpf.expression.libpcap.compiler.cache_clear()
    with pytest.raises(cbpf.MissingLibrary, match=r"pip install 'cbpf\[libpcap\]', or install the system's library"):
        cbpf.compile("ip", frontend="libpcap")
    cbpf.expression.libpcap.compiler.cache_clear()


def test_system_library_replaces_a_missing_cypcap(monkeypatch: pytest.MonkeyPatch) -> None:
    _compiler("system")
    monkeypatch.setitem(sys.modules, "cypcap", None)
    with pytest.raises(MissingLibrary, match="cypcap cannot be imported"):
        cypcap_compiler()
    cbpf.expression.libpcap.compiler.cache_clear()
    assert cbpf.compile("arp", frontend="libpcap")[1].k == 0x806
    cbpf.expression.libpcap.compiler.cache_clear()
