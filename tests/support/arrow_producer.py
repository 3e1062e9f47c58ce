"""An Arrow producer made of ctypes alone, which records its releases and can produce malformed arrays."""

import ctypes
import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

_Address = ctypes.c_void_p
_Release = ctypes.CFUNCTYPE(None, _Address)
_GetNext = ctypes.CFUNCTYPE(ctypes.c_int, _Address, _Address)
_API = ctypes.PyDLL(None)
_API.PyCapsule_New.restype = ctypes.py_object
_API.PyCapsule_New.argtypes = (_Address, ctypes.c_char_p, _Address)
_API.PyCapsule_GetPointer.restype = _Address
_API.PyCapsule_GetPointer.argtypes = (_Address, ctypes.c_char_p)
_API.PyCapsule_GetName.restype = ctypes.c_char_p
_API.PyCapsule_GetName.argtypes = (_Address,)

SCHEMA, ARRAY, STREAM = "PPPqqPPPP", "qqqqqPPPPP", "PPPPP"  # struct formats; release is the last field but one
SCHEMA_FIELDS = ("format", "name", "metadata", "flags", "n_children", "children", "dictionary", "release", "private")
ARRAY_FIELDS = ("length", "null_count", "offset", "n_buffers", "n_children", "buffers", *SCHEMA_FIELDS[5:])
STREAM_FIELDS = ("get_schema", "get_next", "get_last_error", "release", "private")


def _destroy(capsule: int) -> None:
    name = _API.PyCapsule_GetName(capsule)
    address = _API.PyCapsule_GetPointer(capsule, name)
    release_field = address + {b"arrow_schema": 56, b"arrow_array": 64, b"arrow_array_stream": 24}[name]
    release = _Address.from_address(release_field).value
    if release:
        _Release(release)(address)


_DESTROY = _Release(_destroy)
_ALIVE: list[object] = []  # producers that have exported: they must outlive their capsules


class Producer:
    """A column. *kind*: its format; *buffers*: bytes, an address, or None; *array*: overrides fields of ArrowArray."""

    def __init__(self, kind: str, length: int, buffers: Sequence[bytes | int | None], **array: int) -> None:
        self.released: list[str] = []
        self.held: list[Any] = []
        self._kind = kind
        self._fields = {"length": length, "null_count": 0, "offset": 0, "n_buffers": len(buffers), **array}
        self._buffers = list(buffers)

    def _keep(self, data: bytes) -> int:
        self.held.append(ctypes.create_string_buffer(data, len(data) + 1))
        return ctypes.addressof(self.held[-1])

    def _release(self, name: str, offset: int) -> int:
        def release(address: int) -> None:
            self.released.append(name)
            _Address.from_address(address + offset).value = None

        self.held.append(_Release(release))
        return ctypes.cast(self.held[-1], _Address).value or 0

    def schema(self) -> bytes:
        text = self._keep(self._kind.encode())
        return struct.pack(SCHEMA, text, 0, 0, 0, 0, 0, 0, self._release("schema", 56), 0)

    def array(self) -> bytes:
        addresses = [self._keep(data) if isinstance(data, bytes) else data or 0 for data in self._buffers]
        table = self._keep(struct.pack(f"{len(addresses)}P", *addresses))
        fields = self._fields
        head = (fields["length"], fields["null_count"], fields["offset"], fields["n_buffers"], 0)
        return struct.pack(ARRAY, *head, table, 0, 0, self._release("array", 64), 0)

    def capsule(self, name: bytes, data: bytes) -> Any:
        _ALIVE.append(self)
        return _API.PyCapsule_New(self._keep(data), self._name(name), ctypes.cast(_DESTROY, _Address))

    def _name(self, name: bytes) -> bytes:
        self.held.append(name)
        return name


class ArrayProducer(Producer):
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        return self.capsule(b"arrow_schema", self.schema()), self.capsule(b"arrow_array", self.array())


class StreamProducer:
    """A stream of several columns; *error*: the status of get_next after the last."""

    def __init__(self, *chunks: Producer, error: int = 0) -> None:
        self.chunks = chunks
        self._error = error

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        first, remaining = self.chunks[0], list(self.chunks)
        _ALIVE.extend(self.chunks)

        def get_schema(stream: int, target: int) -> int:
            ctypes.memmove(target, first.schema(), struct.calcsize(SCHEMA))
            return 0

        def get_next(stream: int, target: int) -> int:
            if not remaining and self._error:
                return self._error
            data = remaining.pop(0).array() if remaining else bytes(struct.calcsize(ARRAY))
            ctypes.memmove(target, data, len(data))
            return 0

        functions = [
            _GetNext(get_schema),
            _GetNext(get_next),
            ctypes.CFUNCTYPE(_Address, _Address)(lambda stream: None),
        ]
        first.held.extend(functions)
        addresses = [ctypes.cast(function, _Address).value or 0 for function in functions]
        data = struct.pack(STREAM, *addresses, first._release("stream", 24), 0)
        return first.capsule(b"arrow_array_stream", data)


def binary(values: list[bytes], *, kind: str = "z", **array: int) -> ArrayProducer:
    """Return a valid column of format z or Z."""
    offsets = list(accumulate(map(len, values), initial=0))
    packed = struct.pack(f"={len(offsets)}{'i' if kind == 'z' else 'q'}", *offsets)
    return ArrayProducer(kind, array.pop("length", len(values)), [None, packed, b"".join(values)], **array)


def views(values: list[bytes], *, per_buffer: int = 2, **array: int) -> ArrayProducer:
    """Return a valid column of format vz, with *per_buffer* long values in each of its data buffers."""
    rows, data = [], [b""]
    long_count = 0
    for value in values:
        if len(value) <= 12:
            rows.append(struct.pack("=i12s", len(value), value))
            continue
        if long_count and long_count % per_buffer == 0:
            data.append(b"")
        rows.append(struct.pack("=i4sii", len(value), value[:4], len(data) - 1, len(data[-1])))
        data[-1] += value
        long_count += 1
    sizes = struct.pack(f"={len(data)}q", *map(len, data))
    return ArrayProducer("vz", array.pop("length", len(values)), [None, b"".join(rows), *data, sizes], **array)
