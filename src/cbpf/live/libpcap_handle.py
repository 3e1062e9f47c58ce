"""A handle of libpcap for a network interface (pcap_t), through ctypes.

Sources: pcap(3PCAP) and the pages that it lists; the numbers are those of pcap/pcap.h.
"""

import ctypes
import os
import socket
import sys
from contextlib import suppress
from ctypes import byref, c_void_p
from itertools import repeat

from .._libpcap import libpcap
from .._named_tuple import NamedTuple
from .._output import display_name
from .._typing import Any, Final
from ..capture.live_interface import InterfaceStatistics
from ..errors import CaptureError, FieldError, MissingLibrary
from ..isa.program import Program
from ..linux.charges import check_room
from ..linux.socket_options import SO_DOMAIN, SOL_SOCKET, attached_program, get_int
from ..packet.link_types import LinkType, link_type, link_type_by_dlt
from .c_files import CFile
from .kernel_filter import NO_PROTOCOL, KernelFilter

_ERROR_SIZE: Final = 256  # PCAP_ERRBUF_SIZE
_PACKET_HEADER_SIZE: Final = 2 * ctypes.sizeof(ctypes.c_long) + 8  # struct pcap_pkthdr

_NO_SUCH_INTERFACE, _NO_MONITOR_MODE, _NO_PERMISSION, _IS_DOWN, _NO_PROMISCUOUS_PERMISSION = -5, -6, -8, -9, -11
_NOT_SUPPORTED: Final = -13  # PCAP_ERROR_CAPTURE_NOTSUP
_PRIVILEGE: Final = "capturing requires root" + (", or CAP_NET_RAW" if sys.platform == "linux" else "")

_ACTIVATION_ERRORS: Final = {
    _NO_SUCH_INTERFACE: "there is no such interface; cbpf capture -D lists them",
    _NO_MONITOR_MODE: "the interface has no monitor mode; only wireless interfaces may have one",
    _NO_PERMISSION: f"permission denied; {_PRIVILEGE}",
    _NO_PROMISCUOUS_PERMISSION: f"promiscuous mode is not permitted; {_PRIVILEGE}",
    _IS_DOWN: "the interface is down; enable it first (on Linux: ip link set NAME up)",
    _NOT_SUPPORTED: "packets of this interface cannot be captured",
}

BLOCK_MARGIN: Final = 0.05
"""The time in seconds by which a block may come later than its time."""

_SLL: Final = link_type("LINUX_SLL").dlt
_SLL2: Final = link_type("LINUX_SLL2").dlt

_DIRECTIONS: Final = {"both": 0, "in": 1, "out": 2}  # pcap_direction_t


class HandleOptions(NamedTuple):
    """The properties of a handle that are set before it receives packets.

    *block_time* is the time in milliseconds for which packets are collected before they are delivered together, and
    *clock* the name of a time stamp type (pcap-tstamp(7)), or None for the usual one.
    """

    snaplen: int
    promiscuous: bool
    monitor: bool
    immediate: bool
    block_time: int
    buffer_size: int
    link_type: LinkType | None
    direction: str
    nanoseconds: bool
    clock: str | None


class _Counters(ctypes.Structure):
    """struct pcap_stat."""

    _fields_ = (("received", ctypes.c_uint), ("dropped", ctypes.c_uint), ("dropped_by_interface", ctypes.c_uint))


class _Instruction(ctypes.Structure):
    """struct bpf_insn."""

    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    """struct bpf_program."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction)))


class Dumper:
    """The receiver of packets that writes them into a C file as a pcap, whose header it has written (pcap_dumper_t)."""

    def __init__(self, library: Any, address: int, file: CFile) -> None:
        self.address = c_void_p(address)
        self.function = ctypes.cast(library.pcap_dump, c_void_p)
        self.file = file
        self._library = library

    def write_empty_packet(self) -> None:
        """Write a packet without bytes, at time 0."""
        header = ctypes.create_string_buffer(_PACKET_HEADER_SIZE)
        self._library.pcap_dump(self.address, header, b"")


class LibpcapHandle:
    """A handle that receives the packets of an interface. Errors are `CaptureError` with the name of the interface.

    It does not wait: *descriptor* can be read when `dispatch` has packets, and *max_wait* is the time in seconds after
    which `dispatch` must be called nevertheless, or None. Calls must not overlap.
    """

    def __init__(self, interface: str, options: HandleOptions) -> None:
        self.interface = interface
        self._library = libpcap()
        self._errors = ctypes.create_string_buffer(_ERROR_SIZE)
        self._statistics = InterfaceStatistics()
        self._counters = _Counters()
        self._handle = c_void_p(self._library.pcap_create(os.fsencode(interface), self._errors))
        if not self._handle:
            raise self._error(self._errors.value)
        try:
            self._activate(options)
            self._set_link_type(options.link_type)
            self._set_direction(options.direction)
            self._check(self._library.pcap_setnonblock(self._handle, 1, self._errors), self._errors.value)
        except BaseException:
            self.close()
            raise
        self.descriptor: int = self._library.pcap_get_selectable_fd(self._handle)
        self.link_type = link_type_by_dlt(self._library.pcap_datalink(self._handle))
        self.snaplen: int = self._library.pcap_snapshot(self._handle)
        self.max_wait = self._required_wait()
        self._is_cooked = self.link_type.dlt in (_SLL, _SLL2)
        self._kernel_filter: KernelFilter | None = None
        if _is_packet_socket(self.descriptor):
            self._kernel_filter = KernelFilter(interface, self.descriptor, options.direction, self._packets_arrived)

    def _activate(self, options: HandleOptions) -> None:
        library, handle = self._library, self._handle
        library.pcap_set_snaplen(handle, options.snaplen)
        library.pcap_set_promisc(handle, int(options.promiscuous))
        library.pcap_set_timeout(handle, options.block_time)
        library.pcap_set_immediate_mode(handle, int(options.immediate))
        library.pcap_set_buffer_size(handle, options.buffer_size)
        library.pcap_set_tstamp_precision(handle, int(options.nanoseconds))
        if sys.platform == "linux":
            self._receive_nothing()
        if options.monitor:
            library.pcap_set_rfmon(handle, 1)
        if options.clock is not None:
            self._set_clock(options.clock)
        status = library.pcap_activate(handle)
        if status < 0:
            raise self._error(_ACTIVATION_ERRORS.get(status) or library.pcap_geterr(handle))

    def _receive_nothing(self) -> None:
        """Let no packet arrive before the first filter is set."""
        try:
            set_protocol = self._library.pcap_set_protocol_linux
        except AttributeError:
            raise MissingLibrary("this libpcap is too old; version 1.9 or newer is required") from None
        set_protocol(self._handle, NO_PROTOCOL)

    def _set_clock(self, name: str) -> None:
        number = self._library.pcap_tstamp_type_name_to_val(name.encode())
        if number < 0:
            raise FieldError(f"clock: {name!r} is not a type of time stamps; pcap-tstamp(7) lists them")
        if self._library.pcap_set_tstamp_type(self._handle, number):
            raise self._error(f"the interface has no time stamps of type {name}")

    def _set_link_type(self, link_type: LinkType | None) -> None:
        if link_type is not None:
            if self._library.pcap_set_datalink(self._handle, link_type.dlt):
                raise self._error(f"the interface has no packets of link type {link_type.name}")
        elif self._library.pcap_datalink(self._handle) == _SLL:  # of "any"
            self._library.pcap_set_datalink(self._handle, _SLL2)  # also has the interface of each packet

    def _set_direction(self, direction: str) -> None:
        if direction != "both":
            self._check(self._library.pcap_setdirection(self._handle, _DIRECTIONS[direction]))

    def _required_wait(self) -> float | None:
        function = self._library.pcap_get_required_select_timeout
        function.restype = ctypes.POINTER(ctypes.c_long * 2)  # struct timeval, or NULL
        timeval = function(self._handle)
        return timeval.contents[0] + timeval.contents[1] / 1e6 if timeval else None

    def set_first_filter(self, program: Program) -> None:
        """Set the filter of a handle that has had none: on Linux, before the first packet arrives."""
        kernel, is_for_libpcap = self._kernel_filter, self._kernel_filter is None or self._is_cooked
        if is_for_libpcap:
            self._set_filter(program)
        if kernel is not None:
            kernel.begin(None if is_for_libpcap else program)

    def replace_filter(self, program: Program, *, is_repeatable: bool) -> int:
        """Replace the filter of a handle that has one.

        If *is_repeatable*, the caller can run the program on packets that have arrived before, so that none is lost.

        Returns:
            The number of packets, from the first one, that an earlier filter accepted, also if they are dispatched
            later. 0: libpcap runs the new filter on those that are dispatched later, or discards them.
        """
        if self._kernel_filter is None or self._is_cooked:
            self._set_filter(program)
            return 0
        return self._kernel_filter.replace(program, is_repeatable=is_repeatable)

    def _set_filter(self, program: Program) -> None:
        """Replace the filter; packets that arrived before are filtered again, or discarded (pcap_setfilter).

        libpcap would run a program that is too long for the kernel itself, but without most extension loads.
        """
        if self._kernel_filter is not None:
            check_room(self.interface, self.descriptor, program, replaced=attached_program(self.descriptor))
        compiled = _Program(len(program), _instructions(program))
        self._check(self._library.pcap_setfilter(self._handle, byref(compiled)))

    def reject_all(self) -> int | None:
        """Let no further packet arrive, where the system permits that; those that have arrived are still delivered.

        Returns:
            The greatest number of packets, from the first one, that are delivered; None: it is not known.
        """
        return None if self._kernel_filter is None else self._kernel_filter.reject_all()

    def _packets_arrived(self) -> int:
        """Return the number of packets that the filter accepted, and that were not dropped."""
        counts = self.statistics()
        return counts.received - counts.dropped

    def dumper(self, file: CFile) -> Dumper:
        """Return a receiver of packets that writes a pcap into a C file."""
        address = self._library.pcap_dump_fopen(self._handle, file.pointer)
        if not address:
            raise self._error(self._library.pcap_geterr(self._handle))
        return Dumper(self._library, address, file)

    def dispatch(self, limit: int, dumper: Dumper) -> int:
        """Pass up to *limit* packets that have arrived to a dumper, without waiting; return their number."""
        count = int(self._library.pcap_dispatch(self._handle, limit, dumper.function, dumper.address))
        self._check(count)
        return count

    def statistics(self) -> InterfaceStatistics:
        """Return the counts so far. The counters of libpcap have 32 bits, so call this before they are exceeded."""
        counters = _Counters()
        if self._handle and self._library.pcap_stats(self._handle, byref(counters)) == 0:
            self._statistics = InterfaceStatistics(*map(self._advanced, InterfaceStatistics._fields, repeat(counters)))
            self._counters = counters
        return self._statistics

    def _advanced(self, name: str, counters: _Counters) -> int:
        increment = (getattr(counters, name) - getattr(self._counters, name)) & 0xFFFF_FFFF
        total: int = getattr(self._statistics, name) + increment
        return total

    def close(self) -> None:
        """End the capture; the statistics remain."""
        if self._handle:
            self.statistics()
            self._library.pcap_close(self._handle)
            self._handle = c_void_p()

    def _check(self, status: int, message: bytes = b"") -> None:
        if status < 0:
            raise self._error(message or self._library.pcap_geterr(self._handle))

    def _error(self, message: str | bytes) -> CaptureError:
        text = message if isinstance(message, str) else message.decode(errors="replace")
        fact = " ".join(text.split()).removeprefix(f"{self.interface}: ")
        return CaptureError(f"{display_name(self.interface) or 'interface'}: {fact}")


def _instructions(program: Program) -> Any:
    """Return a program as an array of struct bpf_insn."""
    return (_Instruction * len(program))(*(_Instruction(raw.op, raw.jt, raw.jf, raw.k) for raw in program))


def _is_packet_socket(descriptor: int) -> bool:
    if sys.platform != "linux":
        return False
    with suppress(OSError):  # not a socket, but a device
        return get_int(descriptor, SOL_SOCKET, SO_DOMAIN) == socket.AF_PACKET
    return False


def netmask_of(interface: str) -> int | None:
    """Return the IPv4 netmask of an interface, with the first byte as the most significant one; None without one."""
    network, mask = ctypes.c_uint32(), ctypes.c_uint32()
    errors = ctypes.create_string_buffer(_ERROR_SIZE)
    if libpcap().pcap_lookupnet(os.fsencode(interface), byref(network), byref(mask), errors):
        return None
    return socket.ntohl(mask.value)
