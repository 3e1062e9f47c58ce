"""A CUDA device: its memory, copies, and the launch of kernels, through NVIDIA's binding cuda.core.

This is the only module that imports cuda.core. Everything runs in the order of the legacy default stream, which also
follows all work of other libraries, unless that is in streams that do not wait for it. Functions return when
their work is complete.
"""

import ctypes
import os
import sys
from array import array
from importlib.util import find_spec

from ..._typing import Any, Final
from ...errors import MissingLibrary
from ...packet.buffers import address_of
from ..llvm.ptx import MIN_CAPABILITY

_MISSING: Final = "the engine 'cuda' needs cuda-core: pip install 'cbpf[cuda]'"
_UNUSABLE: Final = "the engine 'cuda' cannot use the installed cuda-core ({}): pip install 'cbpf[cuda]'"
_FORKED: Final = (
    "the engine 'cuda' cannot be used in a process that was forked from one that used it: "
    "start processes by the method 'spawn'"
)
STREAM: Final = 1
"""The legacy default stream, by its number in DLPack and the CUDA Array Interface."""
_BLOCK_SIZE: Final = 256
_MAX_BLOCKS: Final = 1 << 20

_kernels: Final[dict[tuple[int, str], Any]] = {}
_user: list[int] = []  # the process that has used a device


def require_cuda_core() -> None:
    """Raise `MissingLibrary` if cuda.core is not installed, without importing it."""
    if "cuda.core" in sys.modules:
        found = sys.modules["cuda.core"] is not None
    else:
        try:
            found = find_spec("cuda.core") is not None
        except ModuleNotFoundError:  # no package of the namespace is installed
            found = False
    if not found:
        raise MissingLibrary(_MISSING)


def _library() -> Any:
    """Return the module cuda.core."""
    require_cuda_core()
    try:
        import cuda.core
        import cuda.core.utils
    except (ImportError, OSError) as error:  # such as a missing package cuda-bindings
        raise MissingLibrary(_UNUSABLE.format(error)) from None
    if not hasattr(cuda.core, "ObjectCode"):
        raise MissingLibrary(_UNUSABLE.format("it is too old"))
    return cuda.core


def current_device() -> "CudaDevice":
    """Return the current device of this thread.

    Raises `MissingLibrary` if a device or its driver is missing, or if the process was forked from one that used a
    device, since a CUDA context does not survive a fork.
    """
    if _user and _user[0] != os.getpid():
        raise MissingLibrary(_FORKED)
    core = _library()
    try:
        device = core.Device()
        device.set_current()
        capability = tuple(device.compute_capability)
    except Exception as error:  # cuda.core raises errors of several classes, which are not public
        fact = " ".join(str(error).split())
        raise MissingLibrary(f"the engine 'cuda' needs a CUDA device and its driver: {fact}") from None
    if capability < MIN_CAPABILITY:
        needed, present = (".".join(map(str, version)) for version in (MIN_CAPABILITY, capability))
        raise MissingLibrary(
            f"the engine 'cuda' needs a device of compute capability {needed}; the current one has {present}"
        )
    _user[:] = [os.getpid()]
    return CudaDevice(core, device)


class CudaDevice:
    """A device that is current in this thread."""

    def __init__(self, core: Any, device: Any) -> None:
        self._core = core
        self._device = device
        self._stream = core.LEGACY_DEFAULT_STREAM
        self.id: int = device.device_id

    def allocate(self, size: int) -> Any:
        """Return a buffer of memory of the device, freed with the object; raise `MemoryError` if it has no room."""
        try:
            return self._device.allocate(max(size, 1), stream=self._stream)
        except Exception as error:  # its class is not public
            if "OUT_OF_MEMORY" not in str(error):
                raise
        fact = f"the device cannot allocate {size:,} bytes"
        raise MemoryError(f"the engine 'cuda': {fact}; divide the packets into smaller batches")

    def buffer_at(self, address: int, size: int, owner: object) -> Any:
        """Return a buffer of memory at an address, which keeps *owner* alive."""
        if not size:  # the address of an empty array may be 0
            return self.allocate(0)
        return self._core.Buffer.from_handle(address, size, owner=owner)

    def view_of_dlpack(self, source: Any) -> Any:
        """Return the StridedMemoryView of an object with `__dlpack__`; the stream waits for its producer."""
        return self._core.utils.StridedMemoryView.from_dlpack(source, STREAM)

    def numbers_view(self, buffer: Any, count: int) -> Any:
        """Return the StridedMemoryView of a buffer of 32-bit unsigned numbers."""
        from numpy import dtype  # cuda.core depends on numpy

        return self._core.utils.StridedMemoryView.from_buffer(buffer, (count,), dtype=dtype("uint32"))

    def wait_for(self, stream: int) -> None:
        """Let the stream wait for the work in another one, given by its address or number."""
        if stream != STREAM:
            self._stream.wait(self._core.Stream.from_handle(stream))

    def copy(self, source: Any, size: int) -> Any:
        """Return a copy of a buffer of *size* bytes."""
        result = self.allocate(size)
        if size:
            result.copy_from(source, stream=self._stream)
        return result

    def copy_to_device(self, memory: memoryview) -> Any:
        """Return a buffer with a copy of memory of the host."""
        with address_of(memory) as address:
            result = self.copy(self.buffer_at(address, memory.nbytes, memory), memory.nbytes)
            self.synchronize()
        return result

    def copy_to_host(self, buffer: Any, numbers: "array[int]") -> None:
        """Copy a buffer into an array of the same size, which is not empty."""
        address, count = numbers.buffer_info()
        buffer.copy_to(self.buffer_at(address, count * numbers.itemsize, numbers), stream=self._stream)
        self.synchronize()

    def synchronize(self) -> None:
        """Wait until all work is complete."""
        self._stream.sync()

    def kernel(self, name: str, text: str) -> Any:
        """Return a kernel of a module in PTX, for this device."""
        # The module must live as long as the kernel.
        module = self._core.ObjectCode.from_ptx(text.encode())
        return module, module.get_kernel(name)

    def shared_kernel(self, name: str, make_text: Any) -> Any:
        """Return a kernel that does not depend on a program; `make_text(name)` returns its module."""
        key = self.id, name
        if key not in _kernels:
            _kernels[key] = self.kernel(name, make_text(name))
        return _kernels[key]

    def launch(self, kernel: Any, count: int, *arguments: Any) -> None:
        """Run a kernel for *count* indices; arguments are buffers and numbers of 64 bits. Does nothing for none."""
        if not count:
            return
        blocks = min((count + _BLOCK_SIZE - 1) // _BLOCK_SIZE, _MAX_BLOCKS)
        config = self._core.LaunchConfig(grid=blocks, block=_BLOCK_SIZE)
        values = [ctypes.c_uint64(value % 2**64) if isinstance(value, int) else value for value in arguments]
        self._core.launch(self._stream, config, kernel[1], *values)
