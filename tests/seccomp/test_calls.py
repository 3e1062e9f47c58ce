"""System calls as values, and as records of 64 bytes."""

import copy
import pickle
import struct

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, SystemCall, names_available

CALL = SystemCall(41, (1, 2, 3, 4, 5, 2**64 - 1), architecture=0x12345678, instruction_pointer=2**63)


@pytest.mark.parametrize(("byte_order", "mark"), [("little", "<"), ("big", ">")])
def test_records_are_struct_seccomp_data(byte_order: str, mark: str) -> None:
    record = struct.pack(f"{mark}iIQ6Q", 41, 0x12345678, 2**63, 1, 2, 3, 4, 5, 2**64 - 1)
    assert CALL.to_bytes(byte_order) == record  # type: ignore[arg-type]
    assert SystemCall.from_bytes(record, byte_order=byte_order) == CALL  # type: ignore[arg-type]


@pytest.mark.parametrize("row", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_records_have_the_byte_order_of_the_architecture(row: cbpf.seccomp.Architecture) -> None:
    call = SystemCall(row.number_base + 3, (7,), architecture=row)
    assert call.architecture is row
    assert call.to_bytes() == call.to_bytes(row.byte_order)
    assert SystemCall.from_bytes(call.to_bytes(), byte_order=row.byte_order) == call


def test_negative_numbers_are_twos_complement() -> None:
    call = SystemCall(-1, (-1, -(2**63)), instruction_pointer=-1)
    assert (call.number, call.arguments[:3], call.instruction_pointer) == (2**32 - 1, (2**64 - 1, 2**63, 0), 2**64 - 1)


@pytest.mark.skipif(not names_available(), reason="system-calls is not installed")
def test_calls_have_names() -> None:
    assert SystemCall("socket").name == SystemCall("socket", architecture="i386").name == "socket"
    assert SystemCall("execve", architecture="x32").number == 0x40000208
    assert SystemCall("execve", architecture=0xC000003E).number == 59
    assert (SystemCall(9999).name, SystemCall(0, architecture=0x12345678).name) == (None, None)


def test_calls_are_immutable_values() -> None:
    same = SystemCall.from_bytes(CALL.to_bytes("big"), byte_order="big")
    assert pickle.loads(pickle.dumps(CALL)) == copy.deepcopy(CALL) == same
    assert len({CALL, same, SystemCall(41)}) == 2
    assert CALL != 41
    assert eval(repr(CALL)) == CALL
    with pytest.raises(AttributeError, match="immutable"):
        CALL.number = 3
    match CALL:
        case SystemCall(number, arguments, audit_arch):
            assert (number, arguments[5], audit_arch) == (41, 2**64 - 1, 0x12345678)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SystemCall(2**32), "SystemCall.call: 4294967296 is not a number of 32 bits"),
        (lambda: SystemCall(1.5), "SystemCall.call: 1.5 is not an integer"),  # type: ignore[arg-type]
        (lambda: SystemCall(1, 5), "SystemCall.arguments: 5 is not iterable"),  # type: ignore[arg-type]
        (lambda: SystemCall(1, range(7)), "SystemCall.arguments: 7 arguments; a system call has at most 6"),
        (lambda: SystemCall(1, [2**64]), "SystemCall.arguments: 18446744073709551616 is not a number of 64 bits"),
        (lambda: SystemCall(1, architecture=-(2**40)), "SystemCall.architecture: -1099511627776 is not a number of 32"),
        (lambda: SystemCall(59, architecture="x32"), "SystemCall.call: 59 is not a number of x32; those have"),
        (lambda: SystemCall("open", architecture=7), "SystemCall.call: 'open': architecture 0x7 is unknown; use the"),
        (lambda: SystemCall.from_bytes(b"abc"), "SystemCall.from_bytes: 3 bytes; struct seccomp_data has 64 bytes"),
        (lambda: SystemCall.from_bytes("x"), "SystemCall.from_bytes: 'x'; struct seccomp_data has"),  # type: ignore[arg-type]
        (lambda: CALL.to_bytes("middle"), "byte_order: 'middle' is not one of little, big, native"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_values_that_are_not_valid_are_rejected(make: object, message: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value).startswith(message)
