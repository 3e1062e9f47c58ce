"""Arrays in the memory of a CUDA device, of any library, through DLPack or the CUDA Array Interface.

Sources: dmlc.github.io/dlpack, Python Specification; numba.readthedocs.io, CUDA Array Interface (version 3).
"""

from math import prod

from ..._named_tuple import NamedTuple
from ..._typing import Any, Final
from ...errors import PacketError
from ...packet.device_memory import KDL_CUDA, dlpack_device
from .device import CudaDevice

_INTEGERS: Final = ("u", "i")


class DeviceArray(NamedTuple):
    """An array of integers on the device.

    Args:
        buffer: Its memory, from the first element on.
        itemsize: The size of a number in bytes.
        shape: The number of elements in each dimension.
        strides: The distance of elements in bytes, in each dimension.
    """

    buffer: Any
    itemsize: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def matrix_of(source: Any, device: CudaDevice) -> DeviceArray:
    """Return rows of bytes: a two-dimensional array whose rows have adjacent bytes."""
    array = _array_of("packets", source, device)
    if len(array.shape) != 2 or array.itemsize != 1:
        fact = f"have {len(array.shape)} dimensions of integers of {array.itemsize} bytes"
        raise PacketError(f"packets: {fact}; pass a two-dimensional array of bytes, or DevicePackets")
    if array.strides[1] != 1 and array.shape[1] > 1:
        raise PacketError(f"packets: the bytes of a row are {array.strides[1]} bytes apart; they must be adjacent")
    return array


def column_of(name: str, source: Any, itemsize: int, device: CudaDevice) -> DeviceArray:
    """Return adjacent integers of a size in bytes: a one-dimensional array. Signed ones are read as unsigned."""
    array = _array_of(name, source, device)
    if len(array.shape) != 1 or array.itemsize != itemsize:
        fact = f"has {len(array.shape)} dimensions of integers of {array.itemsize} bytes"
        raise PacketError(f"{name}: {fact}; pass a one-dimensional array of integers of {itemsize} bytes")
    if array.strides[0] != itemsize and array.shape[0] > 1:
        raise PacketError(f"{name}: its numbers are {array.strides[0]} bytes apart; they must be adjacent")
    return array


def _array_of(name: str, source: Any, device: CudaDevice) -> DeviceArray:
    """Return an array; the stream of the device waits for the work that its producer has queued."""
    if dlpack_device(source) is not None:
        return _of_dlpack(name, source, device)
    interface = getattr(source, "__cuda_array_interface__", None)
    if interface is None:
        raise PacketError(f"{name}: {type(source).__name__!r} object is not an array on a CUDA device")
    return _of_interface(name, source, interface, device)


def _of_dlpack(name: str, source: Any, device: CudaDevice) -> DeviceArray:
    kind, _ = source.__dlpack_device__()
    try:
        view = device.view_of_dlpack(source)
        dtype = view.dtype
    except (BufferError, NotImplementedError, TypeError, ValueError) as error:
        raise PacketError(f"{name}: {error}") from None
    if kind == KDL_CUDA:
        _check_device(name, view.device_id, device)
    itemsize = _itemsize(name, dtype.kind, dtype.itemsize)
    shape = tuple(view.shape)
    strides = _adjacent(shape, itemsize) if view.strides is None else tuple(itemsize * count for count in view.strides)
    return DeviceArray(device.buffer_at(view.ptr, itemsize * prod(shape), view), itemsize, shape, strides)


def _of_interface(name: str, source: Any, interface: dict[str, Any], device: CudaDevice) -> DeviceArray:
    typestr, shape = interface["typestr"], tuple(interface["shape"])
    if typestr[0] == ">" or interface.get("mask") is not None:
        raise PacketError(f"{name}: {'big-endian' if typestr[0] == '>' else 'masked'} arrays are not supported")
    itemsize = _itemsize(name, typestr[1], int(typestr[2:]))
    address, _ = interface["data"]
    strides = tuple(interface.get("strides") or _adjacent(shape, itemsize))
    size = itemsize * prod(shape)
    buffer = device.buffer_at(address, size, source)
    if size:  # an empty array has the address 0
        if not buffer.is_device_accessible:
            raise PacketError(f"{name}: address {address:#x} is not in the memory of a CUDA device")
        if not buffer.is_host_accessible:
            _check_device(name, buffer.device_id, device)
    stream = interface.get("stream")  # None, or absent before version 3: nothing to wait for
    if stream == 0:
        raise PacketError(f"{name}: stream 0 is ambiguous; the CUDA Array Interface does not allow it")
    if stream is not None:
        device.wait_for(stream)
    return DeviceArray(buffer, itemsize, shape, strides)


def _itemsize(name: str, kind: str, itemsize: int) -> int:
    if kind not in _INTEGERS:
        raise PacketError(f"{name}: elements of the type {kind}{itemsize} are not integers")
    return itemsize


def _adjacent(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the strides of an array without gaps, in the order of C."""
    return tuple(itemsize * prod(shape[index + 1 :]) for index in range(len(shape)))


def _check_device(name: str, device_id: int, device: CudaDevice) -> None:
    if device_id != device.id:
        raise PacketError(
            f"{name}: on CUDA device {device_id}, but the current one is {device.id}; make that of the packets current"
        )
