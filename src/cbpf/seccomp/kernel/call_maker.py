"""System calls that a child process makes under filters which let none of them run: machine code for x86-64."""

import ctypes
import mmap
import os
import struct
import warnings
from collections.abc import Callable, Iterable, Sequence

from ..._c_library import c_library
from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.enumerations import JumpTest, Register
from ...isa.instructions import JumpIf, LoadAbsolute, LoadConstant, RetConstant
from ...isa.opcodes import WORD_MASK
from ...isa.program import Program
from ..calls import SystemCall
from ..names.actions import ACTION_WORDS
from ..names.architectures import ARCHITECTURES
from .kernel_calls import install_program, set_no_new_privileges

# void make_calls(const uint64_t (*calls)[8], int64_t *results, long count): a row is {compat, number, arguments...}.
_CODE: Final = bytes.fromhex(
    "53 55 4154 4155 4156"  #                push rbx, rbp, r12, r13, r14
    "4989fc 4989f5 4989d6"  #                mov r12, rdi; mov r13, rsi; mov r14, rdx
    "4d85f6 745f"  #                         next: test r14, r14; jz end
    "418b442408"  #                          mov eax, [r12+8]
    "41833c2400 7522"  #                     cmp dword [r12], 0; jne compat
    "498b7c2410 498b742418 498b542420"  #    mov rdi, [r12+16]; mov rsi, [r12+24]; mov rdx, [r12+32]
    "4d8b542428 4d8b442430 4d8b4c2438"  #    mov r10, [r12+40]; mov r8, [r12+48]; mov r9, [r12+56]
    "0f05 eb20"  #                           syscall; jmp store
    "418b5c2410 418b4c2418 418b542420"  #    compat: mov ebx, [r12+16]; mov ecx, [r12+24]; mov edx, [r12+32]
    "418b742428 418b7c2430 418b6c2438"  #    mov esi, [r12+40]; mov edi, [r12+48]; mov ebp, [r12+56]
    "cd80"  #                                int 0x80
    "49894500 4983c440 4983c508"  #          store: mov [r13], rax; add r12, 64; add r13, 8
    "49ffce eb9c"  #                         dec r14; jmp next
    "415e 415d 415c 5d 5b c3"  #             end: pop r14, r13, r12, rbp, rbx; ret
)
_AFTER_SYSCALL: Final = _CODE.index(b"\x0f\x05") + 2
_AFTER_INT_80: Final = _CODE.index(b"\xcd\x80") + 2
_ROW: Final = struct.Struct("8Q")
_NO_RESULT: Final = (1 << 63) - 1  # no system call returns this number
_COMPAT: Final = ARCHITECTURES["i386"].audit_arch
_PR_SET_DUMPABLE: Final = 4
_POINTER_OFFSET: Final = 8  # the low half of the instruction pointer
GATE_LENGTH: Final = 5
"""The number of instructions that are added to each program."""


class Outcome(NamedTuple):
    """The results of system calls that a child process made.

    Args:
        results: The results of the calls, up to the one that ended the process.
        error: The errno of the installation of the filters, 0 if they were installed.
        status: The wait status of the process.
    """

    results: list[int]
    error: int
    status: int


class CallMaker:
    """Machine code that makes system calls, in memory of this process and of its children."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._memory.write(_CODE)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long)(self._address)

    def _gated(self, program: Program) -> Program:
        """Return a filter that allows the calls of other code, and decides about those of this code as *program*."""
        gate = (
            LoadAbsolute(_POINTER_OFFSET, 4),
            JumpIf(JumpTest.EQUAL, (self._address + _AFTER_SYSCALL) & WORD_MASK, 2, 0),
            JumpIf(JumpTest.EQUAL, (self._address + _AFTER_INT_80) & WORD_MASK, 1, 0),
            RetConstant(ACTION_WORDS["allow"].value),
            LoadConstant(Register.A, 0),  # as at the start of a program
        )
        return Program([*gate, *program])

    def run(self, programs: Iterable[Program], calls: Sequence[SystemCall]) -> Outcome:
        """Make calls in a child process under programs, the oldest first, which decide about these calls alone."""
        filters = [self._gated(program) for program in programs]
        rows = bytearray().join(_ROW.pack(call.audit_arch == _COMPAT, call.number, *call.arguments) for call in calls)
        shared = mmap.mmap(-1, 8 * (len(calls) + 1))
        shared[:] = struct.pack(f"{len(calls) + 1}q", 0, *[_NO_RESULT] * len(calls))

        def task() -> None:
            results = ctypes.addressof(ctypes.c_char.from_buffer(shared)) + 8
            try:
                _prepare(filters)
            except OSError as error:
                shared[:8] = struct.pack("q", error.errno or -1)
                return
            self._function(ctypes.addressof(ctypes.c_char.from_buffer(rows)), results, len(calls))

        status = _run_in_child(task)
        error, *results = struct.unpack(f"{len(calls) + 1}q", shared[:])
        made = results.index(_NO_RESULT) if _NO_RESULT in results else len(results)
        return Outcome(results[:made], error, status)


def _prepare(programs: Iterable[Program]) -> None:
    """Put this process under filters; it may be killed by them without a core dump."""
    c_library().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    set_no_new_privileges()
    for program in programs:
        install_program(program)


def _run_in_child(task: Callable[[], None]) -> int:
    """Run a function in a child process; return its wait status."""
    with warnings.catch_warnings():
        # Python warns of forks in processes with threads; the child takes no lock that a thread could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            task()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]
