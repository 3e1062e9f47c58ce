"""A module in the shape of NVIDIA's cuda.core, whose devices are the memory of this process and an interpreter of PTX.

It has only the functions that cbpf calls; `tests/engines/test_cuda_core.py` compares their signatures with those of the
real library. It is stricter than a device: work is done when a stream is synchronised, never earlier, so that a missing
wait shows, and every access is checked against the allocations, so that memory that was freed too early shows.
"""

import ctypes
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import pytest

from support.project import is_installed
from support.ptx_interpreter import Kernel as ParsedKernel
from support.ptx_interpreter import Memory, PtxError, parse

MEMORY: Final = Memory()
"""The memory of all devices."""


class CUDAError(Exception):
    """An error of the driver."""


class Stream:
    """Work in order, which is done when the stream is synchronised."""

    _streams: Final[dict[int, "Stream"]] = {}

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self._work: list[Callable[[], object]] = []
        Stream._streams[handle] = self

    @staticmethod
    def from_handle(handle: int) -> "Stream":
        return Stream._streams[handle]

    def add(self, work: Callable[[], object]) -> None:
        self._work.append(work)

    def wait(self, event_or_stream: "Stream") -> None:
        self.add(event_or_stream.sync)

    def sync(self) -> None:
        work, self._work[:] = list(self._work), []
        for do in work:
            do()

    @staticmethod
    def sync_all() -> None:
        for stream in list(Stream._streams.values()):
            stream.sync()


LEGACY_DEFAULT_STREAM: Final = Stream(1)


class Buffer:
    """Memory at an address."""

    def __init__(self, address: int, size: int, owner: object, stream: Stream | None) -> None:
        self.handle = address
        self.size = size
        self._owner = owner
        self._stream = stream  # in whose order the memory is freed, if the buffer owns it

    def __del__(self) -> None:
        if self._stream is not None:
            address = self.handle
            self._stream.add(lambda: MEMORY.free(address))

    @staticmethod
    def from_handle(ptr: int, size: int, mr: None = None, owner: object = None, *, stream: None = None) -> "Buffer":
        assert ptr, "cuda.core takes the address 0 as that of a closed buffer"
        return Buffer(ptr, size, owner, None)

    def copy_from(self, src: "Buffer", *, stream: Stream, options: None = None) -> None:
        assert self.size == src.size, "cuda.core compares the sizes"
        stream.add(_copy(self, src))

    def copy_to(self, dst: "Buffer", *, stream: Stream, options: None = None) -> "Buffer":
        dst.copy_from(self, stream=stream)
        return dst

    @property
    def is_device_accessible(self) -> bool:
        return _is_on_device(self.handle)

    @property
    def is_host_accessible(self) -> bool:
        return not _is_on_device(self.handle)

    @property
    def device_id(self) -> int:
        return DEVICE_OF.get(self.handle, 0) if _is_on_device(self.handle) else -1


DEVICE_OF: Final[dict[int, int]] = {}
"""The devices of allocations, by address, other than the first device."""


def _is_on_device(address: int) -> bool:
    try:
        MEMORY.view(address, 1)
    except PtxError:
        return False
    return True


def _copy(target: Buffer, source: Buffer) -> Callable[[], None]:
    """Return the work of a copy; each side is on the device or in the memory of the host."""
    target_address, source_address, size = target.handle, source.handle, target.size
    to_device, from_device = _is_on_device(target_address), _is_on_device(source_address)

    def copy() -> None:
        for address, is_on_device in ((target_address, to_device), (source_address, from_device)):
            if is_on_device:
                MEMORY.view(address, size)
        ctypes.memmove(target_address, source_address, size)

    return copy


class Device:
    """The current device."""

    error: Exception | None = None
    """The error of the driver, if it cannot be used."""
    current: int = 0
    compute_capability: tuple[int, int] = (9, 0)
    allocated: int = 0
    capacity: int = 1 << 40
    """The bytes of the largest buffer."""

    def __init__(self, device_id: int | None = None) -> None:
        if Device.error is not None:
            raise Device.error
        self.device_id = Device.current if device_id is None else device_id

    def set_current(self, ctx: None = None) -> None:
        Device.current = self.device_id

    def allocate(self, size: int, *, stream: Stream) -> Buffer:
        assert size > 0, "cuMemAllocAsync rejects the size 0"
        if size > Device.capacity:
            raise CUDAError("CUDA_ERROR_OUT_OF_MEMORY: The API call failed because it was unable to allocate memory")
        Device.allocated += 1
        address = MEMORY.allocate(size)
        if self.device_id:
            DEVICE_OF[address] = self.device_id
        return Buffer(address, size, None, stream)


class Kernel:
    """A kernel of a module."""

    def __init__(self, parsed: ParsedKernel) -> None:
        self.parsed = parsed


class ObjectCode:
    """A module of PTX."""

    loaded: int = 0

    def __init__(self, text: str) -> None:
        self._text = text

    @staticmethod
    def from_ptx(module: bytes, *, name: str = "", symbol_mapping: None = None) -> "ObjectCode":
        assert type(module) is bytes, "cuda.core takes text as the name of a file"
        ObjectCode.loaded += 1
        return ObjectCode(module.decode())

    def get_kernel(self, name: str) -> Kernel:
        parsed = parse(self._text)
        assert parsed.name == name
        return Kernel(parsed)


class LaunchConfig:
    """The size of a grid."""

    def __init__(
        self,
        grid: int,
        cluster: None = None,
        block: int = 1,
        shmem_size: None = None,
        is_cooperative: bool = False,
        programmatic_stream_serialization: bool = False,
    ) -> None:
        assert 0 < grid < 2**31
        assert 0 < block <= 1024
        self.grid, self.block = grid, block


def launch(stream: Stream, config: LaunchConfig, kernel: Kernel, *kernel_args: Any) -> None:
    values = [argument.handle if isinstance(argument, Buffer) else argument.value for argument in kernel_args]
    stream.add(lambda: kernel.parsed.launch(MEMORY, config.grid, config.block, values))


class Capsule:
    """In place of a capsule of DLPack: the fields of a tensor; strides are numbers of elements."""

    def __init__(
        self, owner: Any, address: int, shape: Sequence[int], strides: Sequence[int] | None, type: str
    ) -> None:
        self.owner, self.address, self.shape, self.strides, self.type = owner, address, shape, strides, type


class StridedMemoryView:
    """A view of an array."""

    def __init__(self, capsule: Capsule, device: tuple[int, int]) -> None:
        self._capsule, self._device = capsule, device
        self.ptr, self.device_id = capsule.address, device[1]
        self.shape, self.strides = tuple(capsule.shape), capsule.strides
        self.dtype = SimpleNamespace(kind=capsule.type[0], itemsize=int(capsule.type[1:]))

    @classmethod
    def from_dlpack(cls, obj: Any, stream_ptr: int | None = None) -> "StridedMemoryView":
        assert stream_ptr, "cuda.core raises BufferError for no stream"
        return cls(obj.__dlpack__(stream=stream_ptr, max_version=(1, 3)), obj.__dlpack_device__())

    @classmethod
    def from_buffer(
        cls,
        buffer: Buffer,
        shape: tuple[int, ...],
        strides: None = None,
        *,
        itemsize: None = None,
        dtype: Any = None,
        is_readonly: bool = False,
    ) -> "StridedMemoryView":
        type = f"{dtype.kind}{dtype.itemsize}"
        return cls(Capsule(buffer, buffer.handle, shape, None, type), (2, buffer.device_id))

    def __dlpack__(
        self, *, stream: int | None = None, max_version: Any = None, dl_device: None = None, copy: bool | None = None
    ) -> Capsule:
        if dl_device is not None or copy:
            raise BufferError("Sorry, not supported")
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device


CORE_NAMES: Final = ("Buffer", "Device", "LEGACY_DEFAULT_STREAM", "LaunchConfig", "ObjectCode", "Stream", "launch")


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the module as cuda.core, with a new process as far as the engine knows."""
    from cbpf.engines.cuda import device

    Stream.sync_all()
    package, core, utils = (_module(name) for name in ("cuda", "cuda.core", "cuda.core.utils"))
    for name in CORE_NAMES:
        setattr(core, name, globals()[name])
    package.core, core.utils, utils.StridedMemoryView = core, utils, StridedMemoryView  # type: ignore[attr-defined]
    modules = [package, core, utils]
    if not is_installed("numpy"):
        numpy = _module("numpy")
        numpy.dtype = lambda name: SimpleNamespace(kind=name[0], itemsize=int(name[4:]) // 8)  # type: ignore[attr-defined]
        modules.append(numpy)
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(device, "_kernels", {})
    monkeypatch.setattr(device, "_user", [])
    for name in ("error", "current", "compute_capability"):
        monkeypatch.setattr(Device, name, getattr(Device, name))


def _module(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    return module


class ForeignArray:
    """An array of another library on the device, whose content is still to be written by a stream of its own.

    Args:
        content: The content of the memory.
        shape: The number of elements in each dimension.
        type: The type of the elements, such as "u1".
        strides: The distances of the elements in bytes.
        offset: The place of the first element in *content*.
        protocol: "interface" or "dlpack".
        device: The index of the device.
    """

    _handles = iter(range(0x1000, 0x100000, 16))

    def __init__(
        self,
        content: bytes,
        shape: tuple[int, ...],
        *,
        type: str = "u1",
        strides: tuple[int, ...] | None = None,
        offset: int = 0,
        protocol: str = "interface",
        device: int = 0,
        **fields: Any,
    ) -> None:
        self._stream = Stream(next(self._handles))
        self._address = MEMORY.allocate(len(content)) if content else 0
        if content:
            address = self._address
            DEVICE_OF[address + offset] = device
            self._stream.add(lambda: MEMORY.view(address, len(content)).__setitem__(slice(None), content))
        self._first = self._address + offset
        self._shape, self._strides, self._type, self._device = shape, strides, type, device
        if protocol == "interface":
            self.__cuda_array_interface__ = {
                "version": 3,
                "shape": shape,
                "strides": strides,
                "typestr": ("|" if type.endswith("1") else "<") + type,
                "data": (self._first, True),
                "stream": self._stream.handle,
                **fields,
            }
        else:
            self.__dlpack__, self.__dlpack_device__ = self._export, lambda: (fields.get("kind", 2), device)

    def __del__(self) -> None:
        """Free the memory in the order of the stream of the library, not after work of other streams."""
        if self._address:
            address = self._address
            self._stream.add(lambda: MEMORY.free(address))

    def _export(self, *, stream: int, max_version: tuple[int, int]) -> Capsule:
        assert max_version >= (1, 0)
        Stream.from_handle(stream).wait(self._stream)
        itemsize = int(self._type[1:])
        counts = None if self._strides is None else [stride // itemsize for stride in self._strides]
        return Capsule(self, self._first, self._shape, counts, self._type)
