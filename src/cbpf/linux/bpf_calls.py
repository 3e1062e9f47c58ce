"""bpf(2): programs that are loaded into the kernel, and run there on packets.

Sources: linux/bpf.h (union bpf_attr), kernel/bpf/syscall.c, net/bpf/test_run.c.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping

from .._c_library import c_library, checked
from .._stdlib import MappingProxyType
from .._typing import Final, Self
from ..errors import EbpfError

_CALL_NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "s390x": 351, "ppc64le": 361}
)
_LOAD, _TEST_RUN = 5, 10
_LICENSE: Final = b"Dual BSD/GPL"
_LOG_SIZE: Final = 1 << 20
_INSTRUCTION_SIZE: Final = 8
_LOAD_ATTRIBUTES: Final = struct.Struct("=IIQQIIQII64x")  # type, count, code, license, log level, size, address, ...
_RUN_ATTRIBUTES: Final = struct.Struct("=IIIIQQII48x")  # descriptor, result, sizes, data in and out, repeat, duration

_RULES: Final[Mapping[int, str]] = MappingProxyType(
    {
        errno.EPERM: "loading programs needs CAP_BPF and CAP_NET_ADMIN, such as root has",
        errno.EACCES: "the verifier rejects the program",
        errno.EINVAL: "the verifier rejects the program",
        errno.E2BIG: "the program is too long, or has too many paths for the verifier",
        errno.ENOSYS: "this kernel has no bpf(2); it needs CONFIG_BPF_SYSCALL",
    }
)


class LoadedProgram:
    """A program in the kernel; a context manager, which removes it.

    Args:
        code: The instructions.
        program_type: The type, BPF_PROG_TYPE_*.

    Attributes:
        instructions: The number of its instructions.
        descriptor: The file descriptor of the program, which SO_ATTACH_BPF takes.

    Raises:
        EbpfError: The kernel rejects the program; the exception has the log of the verifier.
    """

    def __init__(self, code: bytes, program_type: int) -> None:
        self.instructions = len(code) // _INSTRUCTION_SIZE
        memory = ctypes.create_string_buffer(code, len(code))
        license, log = ctypes.create_string_buffer(_LICENSE), ctypes.create_string_buffer(_LOG_SIZE)
        addresses = (ctypes.addressof(memory), ctypes.addressof(license))
        fields = program_type, self.instructions, *addresses, 1, _LOG_SIZE, ctypes.addressof(log), 0, 0
        try:
            self.descriptor, _ = _bpf(_LOAD, _LOAD_ATTRIBUTES.pack(*fields))
        except OSError as error:
            number = error.errno or 0
            raise EbpfError(number, f"eBPF: {_RULES.get(number, error.strerror)}", log.value.decode()) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.descriptor)

    def run(self, data: bytes) -> int | None:
        """Return the result for an input; None if the kernel runs no program on it, as on one that is too short."""
        fields = self._test_run(data, 1)
        return None if fields is None else fields[1]

    def time(self, data: bytes, repetitions: int) -> int | None:
        """Return the mean time of runs on an input in nanoseconds, as the kernel measures it; None as for `run`."""
        fields = self._test_run(data, repetitions)
        return None if fields is None else fields[-1]

    def _test_run(self, data: bytes, repetitions: int) -> tuple[int, ...] | None:
        """Return the attributes of a test run after it; None if the kernel runs no program on the input."""
        memory = ctypes.create_string_buffer(data, len(data))
        fields = self.descriptor, 0, len(data), 0, ctypes.addressof(memory), 0, repetitions, 0
        try:
            _, attributes = _bpf(_TEST_RUN, _RUN_ATTRIBUTES.pack(*fields))
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EFAULT):
                return None
            raise EbpfError(error.errno or 0, f"eBPF: BPF_PROG_TEST_RUN: {error.strerror}") from None
        return _RUN_ATTRIBUTES.unpack(attributes)


def _bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    """Call bpf(2), for which the C library has no function; return its result and the attributes after the call."""
    machine = os.uname().machine
    if machine not in _CALL_NUMBERS:
        raise OSError(errno.ENOSYS, f"the number of bpf(2) on {machine} is unknown")
    memory = ctypes.create_string_buffer(attributes, len(attributes))
    number = ctypes.c_long(_CALL_NUMBERS[machine])
    result = checked(c_library().syscall(number, command, ctypes.byref(memory), len(attributes)))
    return result, memory.raw
