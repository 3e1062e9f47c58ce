"""The structures of the Arrow C data interface, taken from the capsules and streams of a producer.

A structure is moved out of its capsule, as the interface requires of a consumer: its content is copied, and the
original is marked as released. So no other consumer of the capsule can release memory that is in use here, and the
producer's callback is called exactly once, when the copy is freed.

The producer is not trusted. Numbers and pointers are checked before they are used, and a pointer must be the address of
as many mapped bytes as are read (`check_mapped`). Two things cannot be checked, because the interface does not state
the size of a buffer: that a mapped buffer is as long as the array requires, and that it has not been freed.

Source: arrow.apache.org/docs/format, CDataInterface, CStreamInterface, CDataInterface/PyCapsuleInterface.
"""

import ctypes
import mmap
from collections.abc import Iterator
from functools import cache

from .._named_tuple import NamedTuple
from .._typing import Any, Final
from ..errors import PacketError
from .buffers import C_API, POINTER_SIZE

_MS_ASYNC: Final = 1
_MAX_TEXT: Final = 200  # characters of a format, or of an error of a producer


class _ArrowSchema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_void_p),
        ("name", ctypes.c_void_p),
        ("metadata", ctypes.c_void_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowArray(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.c_void_p),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowArrayStream(ctypes.Structure):
    _fields_ = (
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.c_void_p),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_Release: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Get: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_GetLastError: Final = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


class _Owned:
    """A structure in our memory, released by its producer when this object is freed."""

    def __init__(self, structure: Any) -> None:
        self.structure = structure

    @property
    def address(self) -> int:
        return ctypes.addressof(self.structure)

    def __del__(self) -> None:
        if self.structure.release:
            _Release(self.structure.release)(self.address)


class Array(NamedTuple):
    """An array: its numbers, of which only those that a format determines are still to be checked.

    The buffers, as addresses or 0, are valid as long as *owner* lives.
    """

    format: str
    length: int
    offset: int
    null_count: int  # -1: unknown
    child_count: int
    buffers: list[int]
    owner: object


def arrays(source: Any) -> Iterator[Array]:
    """Yield the array, or the arrays of the stream, that *source* exports.

    *source* has `__arrow_c_array__` or `__arrow_c_stream__`. Raises `PacketError` for a structure that violates the
    interface.
    """
    if hasattr(source, "__arrow_c_array__"):
        capsules = source.__arrow_c_array__()
        if not isinstance(capsules, tuple) or len(capsules) != 2:
            raise PacketError("Arrow: __arrow_c_array__ must return two capsules, of a schema and of an array")
        format = _format_of(_moved(capsules[0], "arrow_schema", _ArrowSchema))
        yield _array(format, _moved(capsules[1], "arrow_array", _ArrowArray))
    else:
        yield from _arrays_of_stream(_moved(source.__arrow_c_stream__(), "arrow_array_stream", _ArrowArrayStream))


def _moved(capsule: Any, name: str, kind: type[ctypes.Structure]) -> _Owned:
    """Move the structure out of a capsule."""
    get_pointer = C_API.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    try:
        address: int = get_pointer(ctypes.py_object(capsule), name.encode())
    except ValueError as error:
        raise PacketError(f"Arrow: expected a capsule named {name}: {error}") from None
    check_mapped(f"the {name}", address, ctypes.sizeof(kind))
    original: Any = kind.from_address(address)
    if not original.release:
        raise PacketError(f"Arrow: the {name} was released before it was imported")
    moved = _Owned(kind.from_buffer_copy(original))
    original.release = None
    return moved


def _arrays_of_stream(stream: _Owned) -> Iterator[Array]:
    schema = _Owned(_ArrowSchema())
    _call(stream, "get_schema", schema)
    if not schema.structure.release:
        raise PacketError("Arrow stream: get_schema returned a schema that is released")
    format = _format_of(schema)
    while True:
        values = _Owned(_ArrowArray())
        _call(stream, "get_next", values)
        if not values.structure.release:  # the end of the stream
            return
        yield _array(format, values)


def _call(stream: _Owned, name: str, target: _Owned) -> None:
    function = getattr(stream.structure, name)
    if not function:
        raise PacketError(f"Arrow stream: {name} is null")
    status = _Get(function)(stream.address, target.address)
    if status:
        target.structure.release = None  # after an error, the target is undefined
        raise PacketError(f"Arrow stream: error {status}: {_last_error(stream)}")


def _last_error(stream: _Owned) -> str:
    function = stream.structure.get_last_error
    address = _GetLastError(function)(stream.address) if function else None
    return " ".join(_text("the text of an error", address).split()) if address else "no reason given"


def _format_of(schema: _Owned) -> str:
    """Return the format of a column without children or a dictionary."""
    if not schema.structure.format:
        raise PacketError("Arrow: the schema has no format")
    if schema.structure.dictionary:
        raise PacketError("Arrow: the column is encoded by a dictionary, which is not supported; decode it first")
    return _text("the format", schema.structure.format)


def _array(format: str, values: _Owned) -> Array:
    """Check the numbers of an array that are independent of its format."""
    fields = values.structure
    if min(fields.length, fields.offset) < 0:
        raise PacketError(f"Arrow: length {fields.length}, offset {fields.offset}; neither may be negative")
    if not -1 <= fields.null_count <= fields.length:
        raise PacketError(f"Arrow: null_count {fields.null_count}; it must be -1 or 0 to the length, {fields.length}")
    if fields.dictionary:
        raise PacketError("Arrow: the array has a dictionary, but its schema has none")
    if fields.n_buffers < 0:
        raise PacketError(f"Arrow: n_buffers {fields.n_buffers}; it must not be negative")
    buffers: list[int] = []
    if fields.n_buffers:
        check_mapped("the list of buffers", fields.buffers or 0, POINTER_SIZE * fields.n_buffers)
        pointers = (ctypes.c_void_p * fields.n_buffers).from_address(fields.buffers)
        buffers = [pointer or 0 for pointer in pointers]
    return Array(format, fields.length, fields.offset, fields.null_count, fields.n_children, buffers, values)


def _text(place: str, address: int) -> str:
    """Return the start of a text that ends with a null byte; read page by page, since its length is not known."""
    text = b""
    while len(text) < _MAX_TEXT and b"\0" not in text:
        size = min(_MAX_TEXT - len(text), mmap.PAGESIZE - (address + len(text)) % mmap.PAGESIZE)
        check_mapped(place, address + len(text), size)
        text += ctypes.string_at(address + len(text), size)
    return text.partition(b"\0")[0].decode(errors="replace")


def check_mapped(place: str, address: int, size: int) -> None:
    """Raise `PacketError` unless *size* bytes at *address* are mapped: msync(2) with MS_ASYNC does nothing else."""
    first = address & -mmap.PAGESIZE
    end = address + size
    if end >> 64 or _libc().msync(ctypes.c_void_p(first), ctypes.c_size_t(end - first), _MS_ASYNC):
        raise PacketError(f"Arrow: {place}: {size} bytes are required at address {address:#x}, which is not mapped")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
