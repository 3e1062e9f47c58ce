"""Filters whose programs were compiled in advance, by kind of packets."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import cbpf
from cbpf.filtering.link_programs import LinkPrograms, MissingProgram
from support.captures import TRAFFIC

ETHERNET = cbpf.link_type("EN10MB")


def vm(expression: str) -> cbpf.VM:
    return cbpf.VM(cbpf.compile(expression))


def filtered(accept: object) -> bytes:
    output = io.BytesIO()
    cbpf.filter_capture(TRAFFIC, output, accept)  # type: ignore[arg-type]
    return output.getvalue()


def test_programs_by_kind_accept_the_packets_of_their_expression() -> None:
    assert filtered(LinkPrograms({(ETHERNET, "<"): vm("tcp port 443")})) == filtered("tcp port 443")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_kind_without_a_program_is_named(order: str, tmp_path: Path) -> None:
    other = ">" if order == "<" else "<"
    path = tmp_path / "in.pcap"
    cbpf.write_capture(path, [bytes(60)], byte_order=order)  # type: ignore[arg-type]
    with pytest.raises(MissingProgram, match="not compiled for link type EN10MB") as caught:
        cbpf.filter_capture(path, None, LinkPrograms({(ETHERNET, other): vm("ip")}))
    assert caught.value.kind == (ETHERNET, order)


def test_the_machines_of_the_programs_are_used() -> None:
    machine = vm("arp")
    programs = LinkPrograms({(ETHERNET, "<"): machine})
    assert programs.vms == [machine]
    assert cbpf.filter_capture(TRAFFIC, None, programs).packets_accepted == 18
