"""The names in expressions: resolvers, each called once for a name, and no look-up where names are rejected."""

import socket
from pathlib import Path
from typing import Any

import pytest

import cbpf


class Inventory:
    """A resolver with one name of each kind, which records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def addresses(self, host: str) -> tuple[str, ...]:
        self.calls.append(("addresses", host))
        return ("192.0.2.1", "2001:db8::1") if host == "router" else ()

    def ethernet_address(self, host: str) -> str | None:
        self.calls.append(("ethernet_address", host))
        return "02:00:00:00:00:01" if host == "router" else None

    def network(self, name: str) -> str | None:
        self.calls.append(("network", name))
        return "192.0.2.0" if name == "office" else None

    def port(self, service: str, transport: str) -> int | None:
        self.calls.append(("port", service, transport))
        return 8080 if service == "shop" else None

    def protocol(self, name: str) -> int | None:
        self.calls.append(("protocol", name))
        return 99 if name == "private" else None


NAMES = {
    "host router": "host 192.0.2.1 or host 2001:db8::1",
    "ether src router": "ether src 02:00:00:00:00:01",
    "net office": "net 192.0.2.0/32",  # as in libpcap, which takes all four numbers
    "port shop": "port 8080",
    "ip proto private": "ip proto 99",
}


@pytest.mark.parametrize(("text", "numbers"), NAMES.items(), ids=NAMES)
def test_resolver_provides_the_values_of_names(text: str, numbers: str) -> None:
    difference = cbpf.difference(cbpf.compile(text, names=Inventory()), cbpf.compile(numbers, names=None))
    assert difference is None


@pytest.mark.parametrize("text", NAMES)
@pytest.mark.parametrize("frontend", ["cbpf", "libpcap"])
def test_no_names_means_no_look_up(text: str, frontend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*arguments: object) -> None:
        raise AssertionError(arguments)

    for function in ("getaddrinfo", "getprotobyname", "gethostbyname"):
        monkeypatch.setattr(socket, function, look_up)
    with pytest.raises(cbpf.ExpressionError if frontend == "cbpf" else cbpf.FieldError) as error:
        cbpf.compile(text, names=None, frontend=frontend)
    assert "\n" not in str(error.value)


def test_libpcap_uses_no_other_resolver() -> None:
    with pytest.raises(cbpf.FieldError, match="names of the system only"):
        cbpf.compile("host router", names=Inventory(), frontend="libpcap")


def test_each_name_is_looked_up_once_per_compilation() -> None:
    names = Inventory()
    cbpf.compile("host router or (port shop and src host router) or dst port shop", names=names)
    assert sorted(names.calls) == sorted(set(names.calls))
    assert ("addresses", "router") in names.calls


def test_each_name_is_looked_up_once_for_all_link_types(tmp_path: Path) -> None:
    paths = []
    for link_type in ("EN10MB", "RAW", "LINUX_SLL"):
        paths.append(tmp_path / f"{link_type}.pcap")
        cbpf.write_capture(paths[-1], [(bytes(60), 60)], link_type=link_type)
    names = Inventory()
    programs = cbpf.CapturePrograms("host router and port shop", names=names)
    found = []
    for path in paths:
        with cbpf.read_capture(path) as capture:
            found.append(programs.program(capture, next(capture).interface))
    assert len(set(found)) == 3
    assert sorted(names.calls) == sorted(set(names.calls))


def test_resolver_of_a_capture(tmp_path: Path) -> None:
    cbpf.write_capture(tmp_path / "a.pcap", [(bytes(60), 60)])
    with cbpf.read_capture(tmp_path / "a.pcap") as capture:
        assert cbpf.compile_for_capture("port shop", capture, names=Inventory()) == cbpf.compile("port 8080")
        with pytest.raises(cbpf.ExpressionError, match="shop"):
            cbpf.compile_for_capture("port shop", capture, names=None)


def test_unknown_names_are_errors() -> None:
    with pytest.raises(cbpf.ExpressionError, match="nowhere"):
        cbpf.compile("host nowhere", names=Inventory())
