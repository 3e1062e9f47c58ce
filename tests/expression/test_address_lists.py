"""Lists of addresses and ports, compared with `ipaddress` and, by proof, with expressions that libpcap compiles."""

import ipaddress
import pickle
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cbpf
from support.command_line import TRAFFIC, CommandLine
from support.project import Rounds
from support.random_choices import below


def _networks(random: Random, count: int) -> list[Any]:
    """Return networks, addresses and ranges of both IP versions, which are close to each other and overlap."""
    entries: list[Any] = []
    for _ in range(count):
        bits = 32 if random.random() < 0.6 else 128
        start = (0xC0000200 if bits == 32 else 0x20010DB8 << 96) + (below(random, 1 << 12) << below(random, bits - 20))
        make: Any = ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address
        start %= 1 << bits
        match below(random, 3):
            case 0:
                entries.append(str(make(start)))
            case 1:
                high = min(start + below(random, 1 << 20 + below(random, bits - 31)), (1 << bits) - 1)
                entries.append(f"{make(start)}-{make(high)}")
            case _:
                prefix = bits - below(random, 21)
                entries.append(ipaddress.ip_network((start >> bits - prefix << bits - prefix, prefix)))
    return entries


def _ranges(entries: list[Any]) -> list[tuple[int, int, int]]:
    ranges: list[tuple[int, int, int]] = []
    for entry in map(str, entries):
        if "-" in entry:
            low, high = map(ipaddress.ip_address, entry.split("-"))
        else:
            network = ipaddress.ip_network(entry)
            low, high = network[0], network[-1]
        ranges.append((low.version, int(low), int(high)))
    return ranges


def _frame(random: Random, version: int, source: int, target: int) -> bytes:
    """Return an Ethernet frame with these addresses; for version 4, sometimes an ARP request."""
    if version == 6:
        return bytes(12) + b"\x86\xdd" + bytes(8) + source.to_bytes(16, "big") + target.to_bytes(16, "big") + bytes(20)
    addresses = source.to_bytes(4, "big"), target.to_bytes(4, "big")
    if random.random() < 0.3:
        return bytes(12) + b"\x08\x06" + bytes(14) + addresses[0] + bytes(6) + addresses[1] + bytes(4)
    return bytes(12) + b"\x08\x00" + b"\x45" + bytes(11) + addresses[0] + addresses[1] + bytes(20)


def _boundary(random: Random, ranges: list[tuple[int, int, int]], version: int) -> int:
    """Return an address at a boundary of a range of this version, next to one, or anywhere."""
    own = [(low, high) for range_version, low, high in ranges if range_version == version] or [(0, 0)]
    low, high = own[below(random, len(own))]
    number = (low - 1, low, high, high + 1, below(random, 1 << (32 if version == 4 else 128)))[below(random, 5)]
    return number % (1 << (32 if version == 4 else 128))


@pytest.mark.fuzz
def test_lists_accept_the_addresses_that_they_contain(rounds: Rounds) -> None:
    directions: Any = {"src or dst": any, "src and dst": all, "src": lambda of: next(of), "dst": lambda of: [*of][1]}
    for random in rounds(40):
        entries = _networks(random, 1 + below(random, 60))
        ranges = _ranges(entries)
        direction = list(directions)[below(random, 4)]
        program = cbpf.compile(cbpf.Expression(hosts=entries, direction=direction))
        vm = cbpf.VM(program)
        for _ in range(60):
            version = 4 if random.random() < 0.6 else 6
            addresses = [_boundary(random, ranges, version) for _ in range(2)]
            in_list = (any(v == version and low <= address <= high for v, low, high in ranges) for address in addresses)
            frame = _frame(random, version, *addresses)
            assert bool(vm.run(frame)) is bool(directions[direction](in_list)), (entries, direction, frame.hex())


def test_short_list_equals_the_expression_of_libpcap() -> None:
    """By proof, for packets that contain both addresses.

    On shorter packets, libpcap's unoptimised code loads both addresses for the first host before it tests the second.
    """
    named = "host 192.0.2.1 or host 198.51.100.7 or net 10.1.0.0/16 or ip6 net 2001:db8::/32 or ip6 host fe80::1"
    entries = ["192.0.2.1", "198.51.100.7", "10.1.0.0/16", "2001:db8::/32", "fe80::1"]
    plain = cbpf.compile(f"tcp and ({named})", optimizer=None)
    listed = cbpf.compile(cbpf.Expression("tcp", hosts=entries))
    assert cbpf.difference(plain, listed, shortest=60) is None
    assert cbpf.difference(plain, cbpf.compile(cbpf.Expression("tcp", hosts=entries[1:])), shortest=60) is not None


def test_ports_equal_the_expression_of_libpcap() -> None:
    plain = cbpf.compile("ip and (port 53 or portrange 8000-8999 or port 65535)", optimizer=None)
    listed = cbpf.compile(cbpf.Expression("ip", ports=[53, "8000-8999", (65535, 65535)]))
    assert cbpf.difference(plain, listed, shortest=80) is None
    assert cbpf.ports([53, "8000-8999", 65535], goal="size") != listed


@pytest.mark.parametrize("link_type", ["EN10MB", "RAW", "LINUX_SLL", "LINUX_SLL2", "PPP", "IEEE802_11", "NULL", "FDDI"])
def test_lists_support_link_types(link_type: str) -> None:
    plain = cbpf.compile("src net 10.1.0.0/16 and tcp", link_type=link_type, optimizer=None)
    listed = cbpf.compile(cbpf.Expression("tcp", hosts=["10.1.0.0/16"], direction="src"), link_type=link_type)
    assert cbpf.difference(plain, listed, shortest=200) is None


def test_list_may_contain_the_placeholder_port() -> None:
    assert cbpf.difference(cbpf.compile("port 65534", optimizer=None), cbpf.ports([65534]), shortest=80) is None


def test_many_networks_compile_to_a_search_tree() -> None:
    random = Random(1)
    networks = [f"{1 + below(random, 223)}.{below(random, 256)}.{below(random, 256)}.0/24" for _ in range(1000)]
    program = cbpf.hosts(networks)
    assert len(program) > 4096
    assert cbpf.Flow(program).longest < 64
    assert "too-long" in {finding.identifier for finding in cbpf.findings(program, dialect=cbpf.LINUX)}
    assert len(cbpf.hosts(networks[:300], goal="size")) < len(cbpf.hosts(networks[:300])) < 4096


def test_list_may_contain_every_address() -> None:
    assert cbpf.difference(cbpf.hosts(["0.0.0.0/0"]), cbpf.compile("ip or arp or rarp"), shortest=60) is None
    assert cbpf.difference(cbpf.hosts(["::/0"]), cbpf.compile("ip6"), shortest=60) is None


def test_expressions_are_values() -> None:
    expression = cbpf.Expression("tcp", hosts=["10.0.0.0/9", "10.128.0.0/9", "2001:db8::1"], ports=(80, "90-99"))
    assert expression == cbpf.Expression("tcp", hosts=["10.0.0.0/8", "2001:db8::1"], ports=["80", (90, 99)])
    assert pickle.loads(pickle.dumps(expression)) == expression
    assert hash(expression) == hash(expression.replace(direction="src or dst"))
    assert repr(expression) == "<Expression 'tcp', 1 IPv4 and 1 IPv6 ranges, 2 port ranges>"
    assert cbpf.compile(cbpf.Expression("tcp")) == cbpf.compile("tcp")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"hosts": ["10.0.0.1/8"]},
            "Expression.hosts: entry 0: '10.0.0.1/8' is not an address, network or address range",
        ),
        (
            {"hosts": ["::1", "300.1.1.1", "x"]},
            "entry 1: '300.1.1.1' is not an address, network or address range (and 1",
        ),
        ({"hosts": ["10.0.0.9-10.0.0.1"]}, "'10.0.0.9-10.0.0.1' is not an address, network or address range"),
        ({"hosts": ["10.0.0.9-::1"]}, "'10.0.0.9-::1' is not an address"),
        ({"hosts": "10.0.0.1"}, "Expression.hosts: '10.0.0.1' is not a list; pass an iterable of entries"),
        ({"hosts": 7}, "Expression.hosts: 7 is not a list"),
        ({"ports": [65536]}, "Expression.ports: entry 0: '65536' is not a port or port range (0..65535)"),
        ({"ports": ["9-8"]}, "'9-8' is not a port"),
        ({"ports": ["http"]}, "'http' is not a port"),
        ({"direction": "both"}, "Expression.direction: 'both' is not one of"),
        ({"text": b"ip"}, "Expression.text: b'ip' is not text"),
    ],
)
def test_invalid_lists_are_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        cbpf.Expression(**arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lists_require_the_front_end() -> None:
    with pytest.raises(cbpf.FieldError, match="'libpcap' does not support address and port lists; use 'cbpf'"):
        cbpf.hosts(["10.0.0.1"], frontend="libpcap")


def test_link_type_without_addresses_is_rejected() -> None:
    with pytest.raises(cbpf.ExpressionError, match="the protocols in packets of link type USB_LINUX are not known"):
        cbpf.hosts(["10.0.0.1"], link_type="USB_LINUX")


# -- files and commands -----------------------------------------------------------------------------------------


def test_files_have_one_entry_per_line() -> None:
    content = b"# a list\n\n192.0.2.0/24   # documentation\r\n  10.0.0.1 - 10.0.0.9\n2001:db8::/32\n"
    ranges = cbpf.read_hosts(content, name="list")
    assert ranges.ipv4 == ((0x0A000001, 0x0A000009), (0xC0000200, 0xC00002FF))
    assert [high - low + 1 for low, high in ranges.ipv6] == [1 << 96]
    assert cbpf.read_ports(b"80\n443 # https\n8000-8999\n", name="list") == ((80, 80), (443, 443), (8000, 8999))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"10.0.0.1\n\nnot an address\n10.0.0.1/8",
            "F: line 3: 'not an address' is not an address, network or address range",
        ),
        (b"10.0.0.1/8", "F: line 1: '10.0.0.1/8' is not an address, network or address range (host bits are set after"),
        (b"", "F: has no entries; a list needs at least one"),
        (b"# nothing\n", "F: has no entries; a list needs at least one"),
        (b"10.0.0.1\n\xff", "F: line 2, column 1: byte 0xff (offset 9) is not UTF-8 text"),
        (b"10.0.0.1\0", "F: line 1, column 9: NUL character; the file is not UTF-8 text"),
        (b"\xff\xfe1", "F: line 1, column 1: byte 0x31 (offset 2) is not UTF-16 text"),
    ],
)
def test_invalid_files_are_rejected(cli: CommandLine, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    code, out, err = cli("compile", "--hosts", str(path))
    assert (code, out, err.count("\n")) == (2, b"", 1)
    assert message.replace("F", str(path), 1) in err


def test_captures_are_filtered_by_lists(cli: CommandLine, tmp_path: Path) -> None:
    """The result equals that of an expression with these addresses, and that of the program which `compile` writes."""
    (tmp_path / "hosts").write_text("10.9.0.0/16\n192.0.2.0/24\n")
    (tmp_path / "ports").write_text("443\n50-60\n")
    options = ["--hosts", str(tmp_path / "hosts"), "--ports", str(tmp_path / "ports")]
    code, out, err = cli("filter", "-q", "-r", TRAFFIC, *options, "not tcp[13] & 2 != 0")
    expression = "(net 10.9.0.0/16 or net 192.0.2.0/24) and (port 443 or portrange 50-60) and not tcp[13] & 2 != 0"
    assert (code, out, err) == cli("filter", "-q", "-r", TRAFFIC, expression)
    assert cli("compile", *options, "-w", str(tmp_path / "program"), "not tcp[13] & 2 != 0") == (0, b"", "")
    assert cli("filter", "-q", "-r", TRAFFIC, "--program", str(tmp_path / "program"))[1] == out
    assert len(out) > 24
    code, _, err = cli("filter", "-r", TRAFFIC, *options, "--program", str(tmp_path / "program"))
    assert (code, err.splitlines()[0]) == (
        2,
        "cbpf: --program PROGRAM cannot be combined with EXPRESSION, -F, --hosts or --ports (see cbpf filter --help)",
    )


def test_programs_too_long_for_a_socket_are_reported(cli: CommandLine, tmp_path: Path) -> None:
    random = Random(2)
    lines = (f"{1 + below(random, 223)}.{below(random, 256)}.{below(random, 256)}.7" for _ in range(2500))
    (tmp_path / "hosts").write_text("\n".join(lines))
    code, _, err = cli("compile", "--hosts", str(tmp_path / "hosts"), "-w", str(tmp_path / "program"))
    assert code == 0
    assert "instructions exceed the limit of a socket, 4,096; the program can still filter captures\n" in err
    assert cli("filter", "-r", TRAFFIC, "--count", "-q", "--program", str(tmp_path / "program"))[0] == 0
    assert cli("verify", "--dialect", "linux", str(tmp_path / "program"))[0] == 1


# -- text files and families of addresses


def _encodings(text: str) -> dict[str, bytes]:
    """Return *text* in the encodings and with the line ends of files in the field."""
    return {
        "UTF-8": text.encode(),
        "byte order mark": text.encode("utf-8-sig"),
        "UTF-16": text.encode("utf-16"),
        "UTF-16 big-endian": b"\xfe\xff" + text.encode("utf-16-be"),
        "CRLF": text.replace("\n", "\r\n").encode(),
        "CR": text.replace("\n", "\r").encode(),
        "mark and CRLF": text.replace("\n", "\r\n").encode("utf-8-sig"),
        "no final newline": text.rstrip("\n").encode(),
        "trailing whitespace": text.replace("\n", " \t\n").encode(),
    }


@pytest.mark.parametrize("name", _encodings(""))
def test_files_of_every_encoding_are_read(name: str) -> None:
    content = _encodings("192.0.2.1\n192.0.2.9 # a host\n")[name]
    assert cbpf.read_hosts(content, name="F").ipv4 == ((0xC0000201, 0xC0000201), (0xC0000209, 0xC0000209))
    assert cbpf.read_ports(_encodings("80\n# web\n443-445\n")[name], name="F") == ((80, 80), (443, 445))
    text = cbpf.read_expression(_encodings("tcp port 80 # the web\nor arp # and who has\n")[name], name="F")
    assert text.split() == ["tcp", "port", "80", "or", "arp"]


def test_comments_keep_line_and_column() -> None:
    assert cbpf.read_expression(b"# one\ntcp # two\n  or arp#three\n", name="F") == "     \ntcp      \n  or arp"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"tcp\nor\xff", "F: line 2, column 3: byte 0xff (offset 6) is not UTF-8 text"),
        (b"tcp\0", "F: line 1, column 4: NUL character; the file is not UTF-8 text"),
        (b"\xff\xfet\0c", "F: line 1, column 2: byte 0x63 (offset 4) is not UTF-16 text"),
    ],
)
def test_expression_files_that_are_not_text_are_rejected(content: bytes, message: str) -> None:
    with pytest.raises(cbpf.ExpressionError) as caught:
        cbpf.read_expression(content, name="F")
    assert str(caught.value) == message


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
@pytest.mark.parametrize("name", ["UTF-8", "CRLF", "no final newline", "trailing whitespace"])
def test_expression_files_mean_the_same_as_for_tcpdump(cli: CommandLine, tmp_path: Path, name: str) -> None:
    path = tmp_path / "F"
    path.write_bytes(_encodings("tcp port 80 # the web (and more\n# a line\nor arp#and who has\n")[name])
    command = ["tcpdump", "--count", "-r", TRAFFIC, "-F", str(path)]
    expected = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()[0]
    code, out, _ = cli("filter", "--count", "-q", "-r", TRAFFIC, "-F", str(path))
    assert (code, out.decode().strip()) == (0, expected)
    assert int(expected) > 0


@pytest.mark.parametrize(("link_type", "family"), [("IPV4", "192.0.2.0/24"), ("IPV6", "2001:db8::/32")])
@pytest.mark.parametrize("direction", ["src or dst", "src and dst", "src", "dst"])
def test_lists_of_the_other_family_match_nothing(link_type: str, family: str, direction: Any) -> None:
    """As in libpcap, where a host of a family that packets of the link type do not have compiles to false."""
    both = cbpf.Expression("tcp", hosts=["192.0.2.0/24", "2001:db8::/32"], direction=direction)
    one = cbpf.Expression("tcp", hosts=[family], direction=direction)
    program = cbpf.compile(both, link_type=link_type)
    assert program == cbpf.compile(one, link_type=link_type)
    text = f"({direction} net 192.0.2.0/24 or ip6 {direction} net 2001:db8::/32) and tcp"
    assert cbpf.equivalent(program, cbpf.compile(text, link_type=link_type), shortest=128)  # complete headers


@pytest.mark.parametrize("lists", [{"hosts": ["::1"]}, {"hosts": ["::1"], "ports": [80]}])
def test_lists_without_an_address_of_the_link_type_reject_all(lists: dict[str, Any]) -> None:
    with pytest.warns(
        cbpf.ExpressionWarning, match="expression 'tcp' with lists rejects all packets of link type IPV4"
    ):
        program = cbpf.compile(cbpf.Expression("tcp", **lists), link_type="IPV4")
    assert tuple(program) == (cbpf.RetConstant(0).assemble(),)
