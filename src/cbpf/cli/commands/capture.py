"""cbpf capture: packets of a network interface, to files or as text."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress

import cbpf

from ..._named_tuple import NamedTuple
from ..._typing import Any, Final
from ..capture_options import rotation_options
from ..declarations import argument, option, subcommand
from ..failures import CommandError, UsageError
from ..options import compress_option, container_options, expression_file_option, read_expression, read_route
from ..packet_lines import FOREIGN_LINE_OPTIONS, PacketLines, line_options
from ..streams import echo
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import EXPRESSION, FILE, LINK_TYPE, ROUTE, TEXT, Choice, Integer, Number

_FOREIGN_OPTIONS: Final = FOREIGN_LINE_OPTIONS | {"cbpf filter -r FILE reads a capture": "-r -V"} | TCPDUMP_OPTIONS
_MAX_SNAPLEN: Final = 262_144


@subcommand("capture", "Capture packets of a network interface.", foreign_options=_FOREIGN_OPTIONS)
@argument("expression", kind=EXPRESSION, required=False, multiple=True)
@option("-i", "interface", metavar="INTERFACE", kind=TEXT, help="Interface to capture on, such as eth0, or any.")
@option("-D", "lists_interfaces", is_flag=True, help="List the interfaces.")
@expression_file_option
@option("-w", "target", kind=FILE, help="Capture to write, - for standard output. Without it, packets are printed.")
@option(
    "--route", "routes", metavar="EXPRESSION=FILE", kind=ROUTE, multiple=True,
    help="Write the packets that EXPRESSION accepts to FILE, in place of -w; may be repeated.",
)  # fmt: skip
@option("--rest", kind=FILE, help="With --route, write the packets that no route accepts to FILE.")
@option("-c", "count", metavar="COUNT", kind=Integer(1), help="Stop after COUNT packets.")
@option("--duration", metavar="SECONDS", kind=Number(), help="Stop after SECONDS.")
@option(
    "-s", "snaplen", metavar="BYTES", kind=Integer(0, _MAX_SNAPLEN), default=_MAX_SNAPLEN, shows_default=True,
    help="Capture at most BYTES of each packet; 0 is the default.",
)  # fmt: skip
@option("-p", "is_not_promiscuous", is_flag=True, help="Do not set the interface to promiscuous mode.")
@option("-I", "monitor", is_flag=True, help="Set a wireless interface to monitor mode.")
@option("-Q", "direction", kind=Choice(("in", "out", "inout")), default="inout", help="Direction of the packets.")
@option("-y", "link_type", kind=LINK_TYPE, help="Link type of the packets, if the interface has several.")
@option("-B", "buffer_size", metavar="KIB", kind=Integer(4, 2_097_151), help="Size of the system's buffer in KiB.")
@option("-U", "immediate", is_flag=True, help="Deliver each packet at once, not in blocks of up to 0.1 s.")
@option("-j", "clock", metavar="TYPE", kind=TEXT, help="Type of time stamps (pcap-tstamp(7)), such as adapter.")
@option("--micro", is_flag=True, help="Write times with microseconds instead of nanoseconds.")
@option("-Z", "user", metavar="USER", kind=TEXT, help="As root, continue as USER once the interface is open.")
@rotation_options
@container_options
@compress_option
@line_options
@option("-q", "--quiet", is_flag=True, help="Print no messages on stderr but errors.")
@option("-n", is_flag=True, expose_value=False, help="Accepted for tcpdump compatibility; names are never looked up.")
def command(
    expression: tuple[str, ...],
    interface: str | None,
    lists_interfaces: bool,
    expression_file: str | None,
    target: str | None,
    routes: tuple[str, ...],
    rest: str | None,
    count: int | None,
    duration: float | None,
    snaplen: int,
    is_not_promiscuous: bool,
    monitor: bool,
    direction: str,
    link_type: str | None,
    buffer_size: int | None,
    immediate: bool,
    clock: str | None,
    micro: bool,
    user: str | None,
    rotation: cbpf.Rotation | None,
    container: Any,
    compress: str | None,
    lines_of: PacketLines,
    quiet: bool,
) -> None:
    """Capture the packets that a filter expression (pcap-filter(7)) accepts, to a file, or print one per line.

    It requires libpcap and, on Linux, root or the capability CAP_NET_RAW. Ctrl-C, SIGTERM, -c and --duration end the
    capture without loss: packets that have arrived are written. The numbers of packets are printed on stderr.

    \b
      cbpf capture -D
      cbpf capture -i eth0 -w out.pcap 'tcp port 443'
      cbpf capture -i any -c 10 udp port 53
      cbpf capture -i eth0 --route arp=arp.pcap --rest rest.pcap.zst
    """
    if lists_interfaces:
        return _list_interfaces()
    if interface is None:
        raise UsageError("give -i INTERFACE; -D lists the interfaces")
    if target is not None and routes:
        raise UsageError("-w FILE and --route EXPRESSION=FILE are mutually exclusive")
    if rest is not None and not routes:
        raise UsageError("--rest FILE requires --route EXPRESSION=FILE")
    if rotation is not None and target is None:
        raise UsageError("-C and -G require -w FILE")
    files = {"container": None if container == "same" else container, "compress": compress}
    output = _Output(target, rotation, [read_route(text) for text in routes], rest, files, lines_of)
    with suppress(cbpf.LinkTypeError):  # other mistakes do not depend on the interface, so it is not opened
        _compile_routes(output.routes, link_type or "EN10MB")
    with cbpf.sniff(
        interface,
        read_expression(expression, expression_file),
        snaplen=snaplen or _MAX_SNAPLEN,
        promiscuous=not is_not_promiscuous,
        monitor=monitor,
        direction="both" if direction == "inout" else direction,  # type: ignore[arg-type]
        link_type=link_type,
        count=count,
        duration=duration,
        nanoseconds=not micro,
        clock=clock,
        immediate=immediate,
        **({} if buffer_size is None else {"buffer_size": buffer_size << 10}),
    ) as sniffer:
        _compile_routes(output.routes, sniffer.link_type)
        if user is not None and os.geteuid() == 0:
            _rehearse(sniffer, output)
            _become(user)
        try:
            with _stopped_by_signals(sniffer):
                if not quiet:
                    _announce(sniffer)
                output.write(sniffer)
        finally:
            if not quiet:
                _report(sniffer)


class _Output(NamedTuple):
    """Where packets go: to *target*, to the files of *routes*, or to standard output as lines."""

    target: str | None
    rotation: cbpf.Rotation | None
    routes: list[tuple[str, str]]
    rest: str | None
    files: dict[str, Any]
    lines_of: PacketLines

    def write(self, sniffer: cbpf.Sniffer, place: Callable[[str], str] = str) -> None:
        """Write or print all packets; *place* returns the path for the name of a file."""
        if self.target is not None:
            sniffer.record(place(self.target), rotation=self.rotation, **self.files)
        elif self.routes:
            targets = [(accept, place(path)) for accept, path in self.routes]
            sniffer.split(targets, rest=None if self.rest is None else place(self.rest), **self.files)
        else:
            self._print_packets(sniffer)

    def _print_packets(self, sniffer: cbpf.Sniffer) -> None:
        interface = sniffer.interface
        for packet in sniffer:
            print(*self.lines_of(packet, interface), sep="\n", flush=True)


def _compile_routes(routes: list[tuple[str, str]], link_type: str | cbpf.LinkType) -> None:
    """Raise the error of an expression before anything is printed or written."""
    for expression, _ in routes:
        cbpf.compile(expression, link_type=link_type)


def _list_interfaces() -> None:
    for number, interface in enumerate(cbpf.network_interfaces(), 1):
        states = {
            "Up": interface.is_up,
            "Running": interface.is_running,
            "Loopback": interface.is_loopback,
            "Wireless": interface.is_wireless,
        }
        state = ", ".join(name for name, applies in states.items() if applies)
        details = [f"[{state}]" if state else "", *map(str, interface.addresses), interface.description]
        print(f"{number}.{interface.name}", *filter(None, details))


@contextmanager
def _stopped_by_signals(sniffer: cbpf.Sniffer) -> Iterator[None]:
    """Let the signals that end a command end the capture; a second one of a kind has its usual effect."""
    previous: dict[int, Any] = {}

    def stop(signum: int, _: Any) -> None:
        signal.signal(signum, previous[signum])
        sniffer.stop()

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            previous[signum] = signal.getsignal(signum)
            signal.signal(signum, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _rehearse(sniffer: cbpf.Sniffer, output: _Output) -> None:
    """Write a packet to other files, so that all modules are imported: another user may be unable to read them.

    Machine code is compiled, because that user cannot read this one's cache either. An error occurs again when the
    packets of the interface are written.
    """
    import io
    import tempfile
    from itertools import count

    numbers = count()
    with (
        tempfile.TemporaryDirectory() as directory,
        _code_cache(directory),
        suppress(cbpf.CbpfError),
        redirect_stdout(io.StringIO()),
        sniffer.rehearsal() as rehearsal,
    ):
        output.write(rehearsal, lambda name: os.path.join(directory, f"{next(numbers)}-{os.path.basename(name)}"))


@contextmanager
def _code_cache(directory: str) -> Iterator[None]:
    """Let the cache of machine code be in a directory."""
    name = "XDG_CACHE_HOME"
    previous = os.environ.get(name)
    os.environ[name] = directory
    try:
        yield
    finally:
        del os.environ[name]
        if previous is not None:
            os.environ[name] = previous


def _become(user: str) -> None:
    """Continue with the user and groups of *user*, without privileges."""
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CommandError(f"-Z: there is no user {user!r}") from None
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _announce(sniffer: cbpf.Sniffer) -> None:
    interface = sniffer.interface
    size = f"snapshot length {interface.snaplen:,} bytes"
    echo(f"capturing on {interface.name}, link type {interface.link_type.name}, {size}", err=True)


def _report(sniffer: cbpf.Sniffer) -> None:
    """Print the numbers of packets; those in the system's buffer when -c ends the capture are not captured."""
    counts = sniffer.statistics()
    texts = [
        f"{sniffer.packets_captured:,} packets captured",
        f"{counts.received:,} accepted by the filter",
        f"{counts.dropped:,} dropped by the system",
    ]
    if counts.dropped_by_interface:
        texts.append(f"{counts.dropped_by_interface:,} dropped by the interface")
    echo(", ".join(texts), err=True)
