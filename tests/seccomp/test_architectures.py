"""The table of architectures, compared with the kernel's headers."""

import re

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, architecture, architecture_of
from support.judges import kernel_headers

AUDIT: kernel_headers.Headers = kernel_headers.Headers("", "linux/audit.h")
OTHER_NAMES = {"x32": "X86_64"}
"""Architectures whose AUDIT_ARCH is that of another one."""


def test_audit_arch_is_that_of_the_kernel_header() -> None:
    if reason := kernel_headers.missing(AUDIT):
        pytest.skip(reason)
    numbers = kernel_headers.constants(AUDIT, "AUDIT_ARCH_")
    expected = {name: numbers[OTHER_NAMES.get(name, name.upper())] for name in ARCHITECTURES}
    assert {name: row.audit_arch for name, row in ARCHITECTURES.items()} == expected


def test_byte_order_and_registers_follow_from_audit_arch() -> None:
    for row in ARCHITECTURES.values():
        assert (row.byte_order == "little") is bool(row.audit_arch & 0x40000000), row
        assert (row.register_bits == 64) is bool(row.audit_arch & 0x80000000), row
        assert row.dialect == cbpf.SECCOMP.replace(byte_order=row.byte_order)
        assert row.bits <= row.register_bits


def test_every_name_finds_its_architecture() -> None:
    for row in ARCHITECTURES.values():
        for name in (row.name, row.oci, row.go, row.oci.lower(), row.name.upper(), row):
            assert architecture(name) is row
    assert architecture("mips64el") is ARCHITECTURES["mipsel64"]


def test_calls_belong_to_the_architecture_of_their_numbers() -> None:
    for row in ARCHITECTURES.values():
        assert architecture_of(row.audit_arch, row.number_base) is row
    x86_64 = ARCHITECTURES["x86_64"].audit_arch
    for number, name in ((0x3FFFFFFF, "x86_64"), (0x7FFFFFFF, "x32"), (0x80000000, "x86_64"), (0xFFFFFFFF, "x86_64")):
        assert architecture_of(x86_64, number) is ARCHITECTURES[name]
    assert architecture_of(0x12345678) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("amd46", "did you mean 'amd64'?"), ("z80", "known are x86_64, x32"), (7, "architecture: 7 is not a name")],
)
def test_unknown_architectures_are_rejected(name: str, message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=re.escape(message)):
        architecture(name)
