"""The keys and types of the JSON of every command, compared with the tables of docs/reference/json.md."""

import contextlib
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from cbpf.cli import commands
from cbpf.cli.declarations import Command
from support import json_schema, namespaces
from support.captures import VARIANTS, Pcapng, Record, encoded
from support.command_line import PACKETS, TRAFFIC, require_library_of, run_here
from support.json_documents import document, documents
from support.libpcap_release import libpcap_is_installed

EXPRESSION: Final = "tcp port 443 or arp"
UNEQUAL: Final = "udp port 67 or udp port 68"
"""An expression whose verdicts libpcap's optimiser changes."""
_ALL_COLUMNS: Final = (
    "number,time,length,captured,interface,link_type,data,src,dst,eth_type,vlan,ip_version,protocol,src_ip,dst_ip,"
    "src_ip6,dst_ip6,src_port,dst_port,tcp_flags,icmp_type,ttl,payload_length,src_mac,dst_mac"
)
_STRICT: Final = "ld [4]\njne #0xc000003e, kill\nld [0]\njeq #41, socket, allow\nsocket: ld [16]\njeq #38, deny\n"
_RETURNS: Final = "allow: ret #0x7fff0000\ndeny: ret #0x50001\nkill: ret #0x80000000\n"
_FILTERS: Final = {
    "old": _STRICT + _RETURNS,
    "new": _STRICT.replace("#38", "#39") + _RETURNS,
    "errno": _STRICT + _RETURNS.replace("#0x50001", "#0x50002"),
    "trace": _STRICT + _RETURNS.replace("#0x50001", "#0x7ff00001"),
    "other trace": _STRICT + _RETURNS.replace("#0x50001", "#0x7ff00002"),
    "any": "ld [0]\njset #0x200, deny, allow\nallow: ret #0x7fff0000\ndeny: ret #0x50001\n",
    "computed": "ld [16]\nret a\n",
    "computed otherwise": "ld [24]\nret a\n",
    "computed by two": "ld [4]\njeq #0xc000003e, some\njne #0x40000003, deny\nsome: ld [16]\nret a\n" + _RETURNS,
    "unreachable": "ld [0]\njne #1, no\njeq #2, yes, no\nno: ret #0x7fff0000\nyes: ret #0x50001\n",
    "denying": "ret #0x50001\n",
}


class Files(NamedTuple):
    """The files of the samples, in a folder."""

    folder: Path

    @property
    def mixed(self) -> str:
        """A capture with an Ethernet packet, and one of a link type without VLAN tags and without a time stamp."""
        build = Pcapng()
        records = [
            build.section(),
            build.interface(1, options=build.options((2, b"eth0"))),
            build.interface(101),
            build.enhanced(bytes(60)),
            build.enhanced(bytes(40), interface=1),
        ]
        return self._written("mixed.pcapng", b"".join(records))

    @property
    def untimed(self) -> str:
        """A capture with a packet that has no time stamp and no headers."""
        build = Pcapng()
        return self._written(
            "untimed.pcapng", b"".join([build.section(), build.interface(101), build.simple(bytes(4))])
        )

    @property
    def truncated(self) -> str:
        """A capture with an IP packet of which only a part was captured."""
        return self._written(
            "truncated.pcap", encoded([Record(0, 0, 60, PACKETS[205].data[:20])], VARIANTS["big-endian"])
        )

    @property
    def damaged(self) -> str:
        """A capture that ends in the middle of a packet."""
        return self._written("damaged.pcap", Path(TRAFFIC).read_bytes()[:2000])

    @property
    def archive(self) -> str:
        """A folder with a capture, and a file that is not one."""
        (self.folder / "archive").mkdir(exist_ok=True)
        self._written("archive/traffic.pcap", Path(TRAFFIC).read_bytes())
        self._written("archive/notes.txt", b"no capture")
        return str(self.folder / "archive")

    def filter(self, name: str) -> str:
        """A file with a filter of system calls."""
        return self._written(f"{name}.asm", _FILTERS[name].encode())

    def target(self, name: str) -> str:
        """A file that does not exist."""
        return str(self.folder / name)

    def _written(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return str(self.folder / name)


def _seccomp_differences(files: Files, command: str, *names: str) -> Any:
    return document("seccomp", command, *map(files.filter, names), "--arch", "x86_64", code=1)


def _captured(files: Files) -> list[Any]:
    """Return the objects of packets that arrive at an interface in a network namespace."""
    reason = namespaces.available() or (None if libpcap_is_installed() else "libpcap is not installed.")
    if reason is not None:
        pytest.skip(reason)
    ended = threading.Event()
    with namespaces.veth_pair(), namespaces.sending_at(namespaces.WEST) as send:

        def send_repeatedly() -> None:
            while not ended.wait(0.05):
                send(PACKETS[205].data)

        sender = threading.Thread(target=send_repeatedly)
        sender.start()
        try:
            return documents("capture", "-i", namespaces.EAST, "-c", "2", "-q")
        finally:
            ended.set()
            sender.join()


def _printed(files: Files) -> list[Any]:
    pytest.importorskip("dns", reason="cbpf print needs dnspython for DNS messages")
    return [row for path in (TRAFFIC, files.mixed, files.truncated) for row in documents("print", "-r", path)]


def _tabulated(files: Files) -> list[Any]:
    outputs = [
        run_here("table", "--to", "jsonl", "-q", "-r", TRAFFIC, "--columns", _ALL_COLUMNS),
        run_here("table", "--to", "jsonl", "-q", "-r", files.untimed, "--columns", "time,src,dst,ttl"),
        run_here("table", "--to", "jsonl", "-q", "-r", files.mixed, "--columns", "src_mac,dst_mac"),
        run_here("table", "--to", "jsonl", "-q", "-r", TRAFFIC, "--columns", "vlan,src_mac,dst_mac"),
    ]
    assert not any(output.exit_code for output in outputs)
    return [json.loads(line) for output in outputs for line in output.stdout.splitlines()]


def _indexed(files: Files) -> list[Any]:
    pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")
    return documents("archive", "index", files.archive, "-w", files.target("manifest"), errors=1, code=2)


SAMPLES: Final[dict[str, Callable[[Files], list[Any]]]] = {
    "verify": lambda files: [
        document("verify", "-e", EXPRESSION),
        document("verify", "--dialect", "linux", stdin=b"ld M[3]\n", code=1),
        document("verify", stdin=b"0\n", code=1),
    ],
    "trace": lambda files: [
        document("trace", "-e", EXPRESSION, TRAFFIC),
        document("trace", "-e", "ether[2000] = 1", TRAFFIC),
        document("trace", "-n", "781", "-e", "vlan", TRAFFIC, "--dialect", "linux", "--as-socket"),
        *documents("trace", "-n", "2", "-e", "vlan", files.mixed, stdin=b"", errors=1),  # a warning
    ],
    "run": lambda files: documents("run", "-e", EXPRESSION, TRAFFIC),
    "diff": lambda files: [
        document("diff", "-e", "arp", "-e", "arp or arp"),
        document("diff", "-e", "arp", "-e", "ip", code=1),
        document("diff", "--dialect", "seccomp", files.filter("old"), files.filter("errno"), code=1),
    ],
    "explain": lambda files: [
        document("explain", "arp"),
        document("explain", "--timeout", "1e-9", "tcp port 80", code=3),
        document("explain", UNEQUAL),
        document("explain", "vxlan"),
    ],
    "graph": lambda files: [
        document("graph", "-e", EXPRESSION),
        document("graph", "-e", EXPRESSION, "--clauses", "-r", TRAFFIC),
        document("graph", stdin=b"ja end\nend: ret #1\n"),
    ],
    "lint": lambda files: [*documents("lint", "vlan or ip", code=1), *documents("lint", "--all", "tcp port 80")],
    "why": lambda files: [
        document("why", "-r", TRAFFIC, "arp or not vlan"),
        document("why", "-r", TRAFFIC, "ether[2000] = 1 or ip6"),
        document("why", "-r", TRAFFIC),
    ],
    "stats": lambda files: [
        document("stats", "-e", EXPRESSION, "-r", TRAFFIC),
        document("stats", stdin=b"ld #len\ntax\nldb [x + 7]\nst M[1]\nld M[1]\nret a\n"),
        document("stats", stdin=b"ld [0]\ntax\nldb [x + 7]\nret a\n"),
    ],
    "info": lambda files: [
        document("info", TRAFFIC),
        document("info", files.mixed),
        document("info", "-", stdin=gzip.compress(Path(TRAFFIC).read_bytes())),
        document("info", "-", stdin=encoded([Record(0, 0, 60, bytes(60))], VARIANTS["big-endian Kuznetzov"])),
        *documents("info", files.damaged, code=2, errors=1),
        document(
            "info", "--since", "2000-01-01T00:00:00Z", "--until", "2001-01-01T00:00:00Z", "--sample", "1/7", TRAFFIC
        ),
    ],
    "count": lambda files: [
        document("count", "-r", TRAFFIC, "arp"),
        document("count", "-r", TRAFFIC, "--every", "10s", "--by", "link_type", "arp"),
        *documents("count", "-r", files.damaged, "arp", code=2, errors=1),
    ],
    "top": lambda files: [
        document("top", "-r", TRAFFIC, "--by", "src,dst_port"),
        document("top", "-r", TRAFFIC, "--by", "src", "--max-groups", "2", "-n", "2"),
        *documents("top", "-r", files.damaged, "--by", "src", code=2, errors=1),
    ],
    "print": _printed,
    "capture": _captured,
    "table --to jsonl": _tabulated,
    "archive count": lambda files: [document("archive", "count", TRAFFIC, "arp")],
    "archive filter": lambda files: documents(
        "archive", "filter", files.archive, "-w", files.target("out"), "arp", errors=1, code=2
    ),
    "archive index": _indexed,
    "archive merge": lambda files: documents(
        "archive", "merge", files.archive, "-w", files.target("merged.pcap"), errors=2, code=2
    ),
    "archive split": lambda files: [document("archive", "split", TRAFFIC, "-w", files.target("split"), "arp=arp")],
    "seccomp show": lambda files: [
        document("seccomp", "show", files.filter(name), "--arch", "x86_64")
        for name in ("old", "any", "computed by two")
    ],
    "seccomp diff": lambda files: [
        _seccomp_differences(files, "diff", "old", "new"),
        _seccomp_differences(files, "diff", "old", "errno"),
        _seccomp_differences(files, "diff", "trace", "other trace"),
        _seccomp_differences(files, "diff", "computed", "computed otherwise"),
        _seccomp_differences(files, "diff", "denying", "any"),
    ],
    "seccomp implies": lambda files: [_seccomp_differences(files, "implies", "old", "new")],
    "seccomp audit": lambda files: [
        finding
        for name in ("old", "unreachable", "computed")
        for finding in documents("seccomp", "audit", files.filter(name), "--arch", "x86_64", code=1)
    ],
}
"""Outputs of each command, with as many kinds of values as possible."""

ABSENT: Final = {
    ("metadata", "payload_offset", "number"),  # which packets of captures lack
    ("metadata", "seed", "number"),
    ("proof", "difference", "[difference](#difference)"),  # which is a mistake of the optimiser
}
"""Alternatives of the reference that no sample has."""


def _commands_with_json() -> Iterator[str]:
    for entry in commands.command.entries():
        if isinstance(entry, Command) and entry.has_option("--json"):
            yield entry.name
    yield "table --to jsonl"


Outputs = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """Return a function that returns the samples of a command, or skips the test."""

    @cache
    def of(command: str) -> list[Any]:
        require_library_of(f"cbpf {command}")
        return SAMPLES[command](Files(tmp_path_factory.mktemp("json")))

    return of


@pytest.mark.parametrize("command", list(_commands_with_json()))
def test_outputs_have_the_keys_and_types_of_the_reference(command: str, outputs: Outputs) -> None:
    table = json_schema.tables_of_commands()[command]
    values = outputs(command)
    assert values
    for index, value in enumerate(values):
        assert not list(json_schema.mismatches(value, table, set())), index


def test_the_samples_have_every_kind_of_value_of_the_reference(outputs: Outputs) -> None:
    seen: set[tuple[str, str, str]] = set()
    checked: set[str] = set()
    for command, table in json_schema.tables_of_commands().items():
        with contextlib.suppress(pytest.skip.Exception):  # which the test of the command shows
            for value in outputs(command):
                list(json_schema.mismatches(value, table, seen))
            checked |= json_schema.linked_tables(table)
    expected = {entry for table in checked for entry in json_schema.alternatives(table)}
    assert sorted(expected - seen) == sorted(ABSENT)


def test_the_reference_lists_the_commands_with_json() -> None:
    assert sorted(json_schema.tables_of_commands()) == sorted(SAMPLES) == sorted(_commands_with_json())


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({}, "$.number is missing"),
        ({"number": 1, "verdict": 2, "more": 3}, "$.more is not documented"),
        ({"number": True, "verdict": 2}, "$.number: True is not a number"),
        ({"number": 1, "verdict": None}, "$.verdict: None is not a number"),
    ],
)
def test_values_that_the_reference_does_not_describe_are_found(value: object, complaint: str) -> None:
    assert complaint in list(json_schema.mismatches(value, "cbpf run", set()))
