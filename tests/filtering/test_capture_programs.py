"""A filter that fits only some interfaces of a capture: the packets of the others do not match, with one warning.

It is an error only if the filter fits no interface, or if the expression is invalid for every link type.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import pytest

import cbpf
from cbpf.expression import libpcap, libpcap_front_end
from support.captures import TRAFFIC, Pcapng, Record, Variant, encoded
from support.command_line import CommandLine
from support.project import ENGINES
from support.sample_pcapng import FRAME, PACKET, without_blocks

USB: Final = 189
UNKNOWN: Final = 1240
REASON: Final = (
    "expression 'arp': column 1: the protocols in packets of link type USB_LINUX are not known; test their bytes with"
    " 'link[...]', or their length with 'len'"
)
WARNING: Final = f"capture: interface 1, link type USB_LINUX: {REASON}; its packets do not match"


@pytest.fixture(params=("auto", *ENGINES))
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def mixed(build: Pcapng, linktype: int = USB) -> list[bytes]:
    """Return blocks with packets of Ethernet (2 and 4 are ARP, 6 is not) and of another link type (3 and 5)."""
    return [
        build.section(),
        build.interface() + build.interface(linktype=linktype),
        build.enhanced(FRAME),
        build.enhanced(bytes(64), interface=1),
        build.enhanced(FRAME, time=7),
        build.enhanced(bytes(80), interface=1),
        build.enhanced(bytes(60)),
        build.block(5, bytes(12)),
    ]


def filtered(source: bytes, filter: Any, **options: Any) -> tuple[bytes, list[str]]:
    """Return the output of a filter and its warnings."""
    target = BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cbpf.filter_capture(BytesIO(source), target, filter, **options)
    return target.getvalue(), [str(warning.message) for warning in caught]


@pytest.mark.parametrize("build", [Pcapng("<"), Pcapng(">")])
def test_packets_of_an_interface_that_does_not_fit_do_not_match(build: Pcapng, engine: Any) -> None:
    blocks = mixed(build)
    assert filtered(b"".join(blocks), "arp", engine=engine) == (without_blocks(blocks, 3, 5, 6), [WARNING])


def test_inversion_accepts_the_packets_that_do_not_match(engine: Any) -> None:
    blocks = mixed(Pcapng())
    assert filtered(b"".join(blocks), "arp", engine=engine, invert=True) == (without_blocks(blocks, 2, 4), [WARNING])


def test_a_negation_does_not_fit_either(engine: Any) -> None:
    blocks = mixed(Pcapng())
    output, _ = filtered(b"".join(blocks), "not arp", engine=engine)
    assert output == without_blocks(blocks, 2, 3, 4, 5)


def test_packets_that_do_not_match_are_the_rest_of_a_split(engine: Any) -> None:
    blocks, arp, rest = mixed(Pcapng()), BytesIO(), BytesIO()
    with pytest.warns(cbpf.ExpressionWarning, match=re.escape(WARNING)):
        cbpf.split_capture(BytesIO(b"".join(blocks)), [("arp", arp)], rest=rest, engine=engine)
    assert (arp.getvalue(), rest.getvalue()) == (without_blocks(blocks, 3, 5, 6), without_blocks(blocks, 2, 4))


@pytest.mark.parametrize("count", [1, 2])
def test_a_limit_counts_matching_packets_only(count: int, engine: Any) -> None:
    blocks = mixed(Pcapng())
    output, _ = filtered(b"".join(blocks), "arp", engine=engine, count=count)
    assert output == without_blocks(blocks[: 3 + count * 2 - 2], 3)


def test_the_first_interface_may_be_the_one_that_does_not_fit(engine: Any) -> None:
    build = Pcapng()
    blocks = [
        build.section(),
        build.interface(linktype=USB),
        build.enhanced(bytes(64)),
        build.interface(),
        build.enhanced(FRAME, interface=1),
    ]
    output, texts = filtered(b"".join(blocks), "arp", engine=engine)
    assert (output, texts) == (without_blocks(blocks, 2), [WARNING.replace("interface 1", "interface 0")])


def test_each_capture_has_its_own_warning() -> None:
    usb = encoded([Record(1, 0, 64, bytes(64))], Variant(linktype=USB))
    ether = encoded([Record(1, 0, len(FRAME), FRAME)])
    for sources in ([usb, ether], [ether, usb], [usb, b"".join(mixed(Pcapng()))]):
        target = BytesIO()
        with pytest.warns(cbpf.ExpressionWarning) as caught:
            cbpf.filter_capture([BytesIO(source) for source in sources], target, "arp", container="pcapng")
        assert all(REASON in str(warning.message) for warning in caught)
        assert {packet.data for packet in cbpf.read_capture(BytesIO(target.getvalue()))} == {FRAME}


def test_machine_code_does_not_prevent_the_warning_of_a_later_capture(engine: Any, tmp_path: Path) -> None:
    usb = encoded([Record(1, 0, 64, bytes(64))] * 3, Variant(linktype=USB))
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, capture in zip(paths, (usb, usb, b"".join(mixed(Pcapng()))), strict=True):
        path.write_bytes(capture)
    with pytest.warns(cbpf.ExpressionWarning) as caught:
        cbpf.filter_capture(paths, None, "arp", engine=engine)
    assert [str(warning.message).partition(": ")[0] for warning in caught] == list(map(str, paths))


# Errors


class _Endless:
    """A stream that fails the test if more than its start is read."""

    def __init__(self, start: bytes) -> None:
        self._start = BytesIO(start)

    def read(self, size: int = -1) -> bytes:
        data = self._start.read(size)
        assert data or not size, "the capture was read past its first interface"
        return data


@pytest.mark.parametrize("expression", ["no such word", "arp and", "len > 99999999999", "vpi 3 and type mgt"])
@pytest.mark.parametrize("linktype", [1, USB, UNKNOWN])
def test_an_invalid_expression_is_an_error_at_once(expression: str, linktype: int, engine: Any) -> None:
    build = Pcapng()
    source = cast(Any, _Endless(build.section() + build.interface(linktype=linktype)))
    with pytest.raises(cbpf.ExpressionError) as error:
        cbpf.filter_capture(source, BytesIO(), expression, engine=engine)
    assert not isinstance(error.value, cbpf.LinkTypeError)


def test_an_invalid_expression_is_an_error_without_an_interface() -> None:
    with pytest.raises(cbpf.ExpressionError, match="column 1: unexpected 'no'"):
        filtered(Pcapng().section(), "no such word")
    assert filtered(Pcapng().section(), "arp") == (Pcapng().section(), [])


@pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")
@pytest.mark.parametrize("filter", ["arp", cbpf.Expression("tcp", hosts=["192.0.2.1"])])
def test_a_filter_that_fits_no_interface_is_an_error(filter: Any, engine: Any, tmp_path: Path) -> None:
    build, target = Pcapng(), tmp_path / "out"
    record = Record(1, 0, 64, bytes(64))
    for source in (
        encoded([record], Variant(linktype=USB)),
        encoded([], Variant(linktype=USB)),
        build.section() + build.interface(linktype=USB),
        build.section() + build.interface(linktype=USB) + build.enhanced(bytes(64)),
        build.section() + build.interface(linktype=USB) + build.interface(linktype=UNKNOWN) + build.enhanced(bytes(64)),
    ):
        with pytest.raises(cbpf.LinkTypeError, match=r"link type USB_LINUX|USB link-layer type"):
            cbpf.filter_capture(BytesIO(source), target, filter, engine=engine)
        assert not target.exists()


@pytest.mark.filterwarnings("error")
def test_a_pcap_that_does_not_fit_is_an_error_before_the_first_packet() -> None:
    target = BytesIO()
    source = cast(Any, _Endless(encoded([], Variant(linktype=USB))))
    with pytest.raises(cbpf.LinkTypeError):
        cbpf.filter_capture(source, target, "arp")
    assert target.getvalue() == b""


def test_a_program_too_long_for_one_link_type_does_not_fit_it(engine: Any) -> None:
    blocks = mixed(Pcapng(), linktype=105)
    dialect = cbpf.PCAP.replace(longest=4)
    output, (text,) = filtered(b"".join(blocks), "arp", engine=engine, dialect=dialect)
    assert output == without_blocks(blocks, 3, 5, 6)
    assert text.startswith("capture: interface 1, link type IEEE802_11: program: ")
    with pytest.raises(cbpf.VerificationError):
        filtered(encoded([], Variant(linktype=105)), "arp", engine=engine, dialect=dialect)


# Expressions that need no link type, programs and savefiles


@pytest.mark.parametrize("expression", ["", " ", "\t\r\n "])
@pytest.mark.parametrize("linktype", [18, UNKNOWN, 0x03FF_FFFF])
def test_an_empty_expression_fits_unknown_link_types(expression: str, linktype: int, engine: Any) -> None:
    records = [Record(1, 2000, 40, bytes(40)), Record(1, 3000, 50, bytes(50))]
    source = encoded(records, Variant(linktype=linktype))
    assert filtered(source, expression, engine=engine) == (source, [])
    assert filtered(source, expression, engine=engine, invert=True) == (source[:24], [])
    assert filtered(source, expression, engine=engine, container="pcap") == (source, [])
    if linktype <= 0xFFFF:
        pcapng, _ = filtered(source, expression, engine=engine, container="pcapng")
        assert filtered(pcapng, expression, engine=engine, container="pcap") == (source, [])
        assert [packet.data for packet in cbpf.read_capture(BytesIO(pcapng))] == [record.data for record in records]
    both, target = [BytesIO(source), BytesIO(source)], BytesIO()
    cbpf.split_capture(both, [(expression, target)], engine=engine)
    assert target.getvalue() == source + source[24:]


def test_only_the_blanks_of_libpcap_make_an_empty_expression() -> None:
    assert cbpf.compile(" \t\r\n", link_type=UNKNOWN, snaplen=7) == cbpf.Program([cbpf.RetConstant(7)])
    for expression in ("\v", "\N{NO-BREAK SPACE}", "()", "#"):
        with pytest.raises(cbpf.ExpressionError):
            cbpf.compile(expression)


def test_programs_apply_to_unknown_link_types(engine: Any) -> None:
    blocks = mixed(Pcapng(), linktype=UNKNOWN)
    longer = cbpf.parse("ld #len\njgt #64,0,1\nret #1\nret #0")
    assert filtered(b"".join(blocks), longer, engine=engine) == (without_blocks(blocks, 2, 3, 4, 6), [])


def test_savefiles_apply_to_their_link_type(engine: Any) -> None:
    blocks = mixed(Pcapng())
    savefile = cbpf.Savefile(cbpf.compile("arp"), link_type=1, snaplen=262_144)
    output, (text,) = filtered(b"".join(blocks), savefile, engine=engine)
    assert output == without_blocks(blocks, 3, 5, 6)
    fact = "link type USB_LINUX is not EN10MB, for which the savefile was compiled"
    assert text == f"capture: interface 1, link type USB_LINUX: {fact}; its packets do not match"


def test_lists_apply_to_the_interfaces_that_fit(engine: Any) -> None:
    ip = bytes(12) + b"\x08\0" + PACKET
    blocks = [*mixed(Pcapng()), Pcapng().enhanced(ip)]
    output, (text,) = filtered(b"".join(blocks), cbpf.Expression(hosts=["127.0.0.1"]), engine=engine)
    assert output == without_blocks(blocks, 2, 3, 4, 5, 6)
    assert "interface 1, link type USB_LINUX: " in text


def test_sockets_have_packets_of_interfaces_that_do_not_fit() -> None:
    blocks = mixed(Pcapng())
    output, texts = filtered(b"".join(blocks), "arp", as_socket=True)
    assert (output, texts) == (without_blocks(blocks, 3, 5, 6), [WARNING])


# The errors of the compiler


@pytest.mark.parametrize(
    ("expression", "link_type"),
    [("udp", "USB_LINUX"), ("vlan", "NULL"), ("ifname em0", "EN10MB"), ("type mgt", "EN10MB"), ("vpi 3", "EN10MB")],
)
def test_valid_expressions_are_distinguished_from_invalid_ones(expression: str, link_type: str) -> None:
    with pytest.raises(cbpf.LinkTypeError):
        cbpf.compile(expression, link_type=link_type)
    with pytest.raises(cbpf.ExpressionError) as error:
        cbpf.compile(f"{expression} and foo bar", link_type=link_type)
    assert not isinstance(error.value, cbpf.LinkTypeError)


PRIMITIVES: Final = (
    *("udp", "vlan", "ether host 1:2:3:4:5:6", "arp", "mpls", "pppoes", "geneve", "llc", "iso", "stp", "atalk", "ipx"),
    *(
        "type mgt",
        "subtype beacon",
        "dir tods",
        "wlan addr1 1:2:3:4:5:6",
        "wlan ra 1:2:3:4:5:6",
        "inbound",
        "ifindex 3",
    ),
    *(
        "ifname em0",
        "rset x",
        "rulenum 3",
        "action pass",
        "reason match",
        "vpi 3",
        "vci 3",
        "lane",
        "oam",
        "connectmsg",
    ),
    *("fisu", "lssu", "msu", "sio 3", "opc 3", "dpc 3", "sls 3", "hsio 3", "hopc 3"),
)


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_every_primitive_fits_a_link_type_however_long_the_expression(primitive: str) -> None:
    capture = cbpf.read_capture(BytesIO(encoded([], Variant(linktype=199))))
    for expression in (primitive, f"{primitive} or {primitive}" + " " * 2000):
        with pytest.raises(cbpf.LinkTypeError):
            cbpf.compile_for_capture(expression, capture)


def test_a_long_expression_is_rejected_without_trying_every_link_type(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_rows, attempts = libpcap.compiler(), []

    def counted(text: str, *arguments: Any) -> Any:
        attempts.append(text)
        return compile_rows(text, *arguments)

    monkeypatch.setattr(libpcap_front_end, "compiler", lambda: counted)
    hosts = " or ".join(f"host 192.0.2.{number}" for number in range(200))
    text = f"({hosts}) and type mgt and vpi 3"
    with pytest.raises(cbpf.ExpressionError, match="type"):
        cbpf.compile(text)
    assert attempts.count(text) < 10
    assert len(attempts) < 30  # of beginnings of the text, to find the place


def test_programs_of_a_capture_by_interface() -> None:
    capture = cbpf.read_capture(BytesIO(b"".join(mixed(Pcapng()))))
    capture.look_ahead()
    programs = cbpf.CapturePrograms("arp")
    programs.prepare([capture])
    assert [programs.fits(capture, interface) for interface in (0, 1)] == [True, False]
    assert programs.program(capture, 0) == programs.first(capture) == cbpf.compile("arp")
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert programs.program(capture, 1) is None
        warned = [str(warning.message) for warning in caught]
        assert warned == ([WARNING] if _ == 0 else [])
    programs.require_fit([capture])


# The commands


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "in.pcapng"
    path.write_bytes(b"".join(mixed(Pcapng())))
    return str(path)


def test_commands_continue_past_an_interface_that_does_not_fit(cli: CommandLine, source: str) -> None:
    warning = f"cbpf: warning: {source}{WARNING.removeprefix('capture')}\n"
    assert cli("filter", "-q", "--count", "-r", source, "arp") == (0, b"2\n", warning)
    assert cli("run", "-e", "arp", source) == (0, b"1 262144\n2 0\n3 262144\n4 0\n5 0\n", warning)
    code, out, err = cli("trace", "-e", "arp", source, "-n", "2")
    assert (code, err) == (0, warning)
    assert out == b"packet 2: 64 of 64 bytes captured\nrejects the packet (verdict 0)\n"
    assert cli("trace", "-e", "arp", source, "-n", "3")[::2] == (0, "")
    for command in ("stats", "graph"):
        code, out, err = cli(command, "-e", "arp", "-r", source)
        assert (code, err) == (0, warning)
        assert command != "stats" or b"3, 2 accepted" in out


def test_commands_count_from_the_first_interface_that_fits(cli: CommandLine, tmp_path: Path) -> None:
    build, path = Pcapng(), tmp_path / "in.pcapng"
    usb = [build.section() + build.interface(linktype=USB), *[build.enhanced(bytes(64))] * 200]
    path.write_bytes(b"".join([*usb, build.interface(), build.enhanced(FRAME, interface=1)]))
    code, out, _ = cli("stats", "-e", "arp", "-r", str(path))
    assert (code, b"1, 1 accepted" in out) == (0, True)
    assert cli("run", "-e", "arp", str(path))[:2] == (
        0,
        b"".join(b"%d 0\n" % n for n in range(1, 201)) + b"201 262144\n",
    )
    path.write_bytes(b"".join(usb))
    for arguments in (["run", "-e", "arp", str(path)], ["stats", "-e", "arp", "-r", str(path)]):
        code, _, err = cli(*arguments)
        assert code == 2
        assert f"cbpf: expression: {REASON.partition(': ')[2]}\narp\n^\n" in err


def test_a_dialect_is_not_a_name() -> None:
    dialect: Any = "linux"
    calls: list[Callable[[], object]] = [
        lambda: cbpf.read_capture(TRAFFIC, filter="tcp", dialect=dialect),
        lambda: cbpf.filter_capture(TRAFFIC, None, "tcp", dialect=dialect),
        lambda: cbpf.listing("tcp", dialect=dialect),
    ]
    for call in calls:
        with pytest.raises(cbpf.FieldError, match=r"^(\w+\.)?dialect: 'linux' is not a Dialect; use cbpf\.LINUX$"):
            call()
