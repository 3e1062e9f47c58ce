"""cbpf info: what a capture is and holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import click

import cbpf

_SECOND: Final = 1_000_000_000
_RESOLUTIONS: Final = {
    1: "seconds",
    1_000: "milliseconds",
    1_000_000: "microseconds",
    1_000_000_000: "nanoseconds",
    1_000_000_000_000: "picoseconds",
}
_BYTE_ORDERS: Final = {"<": "little-endian", ">": "big-endian"}
_PARTS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))  # of a duration


@click.command("info", short_help="What a capture is and holds.")
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a capture.")
@click.pass_context
def command(context: click.Context, captures: tuple[str, ...], as_json: bool) -> None:
    """Tell what each CAPTURE is and holds: format, packets, bytes, times (UTC), interfaces, damage.

    A CAPTURE is a file, or - for standard input: pcap or pcapng, also compressed by gzip, zstd, lz4, xz or bzip2. Where
    one is damaged, all before the damage counts, and the exit code is 2.

      cbpf info in.pcap
    """
    printed, is_wrong = False, False
    for capture in captures:
        try:
            info = cbpf.capture_info(capture)
        except cbpf.CbpfError as error:
            complaint: str | None = str(error)
        else:
            complaint = info.damage
            click.echo(json.dumps(info.as_dict()) if as_json else ("\n" if printed else "") + _text(info))
            printed = True
        if complaint is not None:
            click.echo(f"cbpf: {complaint}", err=True)
            is_wrong = True
    if is_wrong:
        context.exit(2)


def _text(info: cbpf.CaptureInfo) -> str:
    rows = [*_storage(info), *_packets(info), *_times(info), *_interfaces(info), *_rest(info)]
    width = max(len(name) for name, _ in rows)
    return "\n".join([info.name, *(f"  {name:{width}}  {value}" for name, value in rows)])


def _storage(info: cbpf.CaptureInfo) -> Iterator[tuple[str, str]]:
    variant = f" as {info.variant}'s libpcap wrote it" if info.variant else ""
    byte_orders = " and ".join(_BYTE_ORDERS[one] for one in info.byte_orders)
    yield "format", f"{info.container} {info.version}{variant}" + (f", {byte_orders}" if byte_orders else "")
    if info.file_size is not None or info.compression is None:
        yield "size", _counted(info.capture_size if info.file_size is None else info.file_size, "byte")
    if info.compression is not None:
        yield "compression", f"{info.compression}, {_counted(info.capture_size, 'byte')} uncompressed"


def _packets(info: cbpf.CaptureInfo) -> Iterator[tuple[str, str]]:
    totals = info.totals
    yield "packets", f"{totals.packets:,}"
    if totals.packets:
        yield "captured", _counted(totals.captured_bytes, "byte")
        yield "on the wire", _counted(totals.wire_bytes, "byte")
        yield "lengths", _lengths(totals)
    if totals.cut:
        yield "cut short", _counted(totals.cut, "packet")


def _lengths(totals: cbpf.PacketTotals) -> str:
    if totals.smallest == totals.largest:
        return f"{_counted(totals.largest or 0, 'byte')} captured" + (" of each packet" if totals.packets > 1 else "")
    return f"{totals.smallest:,} to {totals.largest:,} bytes captured, {totals.mean:,.1f} on average"


def _times(info: cbpf.CaptureInfo) -> Iterator[tuple[str, str]]:
    totals = info.totals
    unused = 0 if any(one.interface.needs_nanoseconds for one in info.interfaces) else 3  # digits, which are zeros
    if totals.earliest is not None and totals.latest is not None and totals.duration_ns is not None:
        yield "earliest", totals.earliest[: -1 - unused] + "Z"
        yield "latest", totals.latest[: -1 - unused] + "Z"
        yield "duration", _duration(totals.duration_ns, 9 - unused)
    if info.out_of_order:
        yield "out of order", f"{_counted(info.out_of_order, 'packet')} earlier than the one before"
    if totals.untimed:
        yield "without time", _counted(totals.untimed, "packet")


def _duration(duration_ns: int, digits: int) -> str:
    """Seconds, and behind them the same in days, hours and minutes, if it has any."""
    seconds, fraction = divmod(duration_ns, _SECOND)
    text = f"{seconds:,}.{f'{fraction:09}'[:digits]} s"
    parts, rest = [], seconds
    for size, unit in _PARTS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return f"{text} ({' '.join(parts)})" if seconds >= 60 else text


def _interfaces(info: cbpf.CaptureInfo) -> Iterator[tuple[str, str]]:
    if info.sections != 1:
        yield "sections", f"{info.sections:,}"
    if not info.interfaces:
        yield "interfaces", "none"
    elif len(info.interfaces) == 1:
        yield "interface", ", ".join(_described(info.interfaces[0].interface))
    else:
        lines = _table(info)
        yield "interfaces", lines[0]
        yield from (("", line) for line in lines[1:])


def _described(interface: cbpf.Interface) -> Iterator[str]:
    if interface.name is not None:
        yield _shown(interface.name)
    yield _link_type(interface)
    yield f"snapshot length {interface.snaplen:,}"
    yield _resolution(interface.resolution)
    if interface.offset:
        yield f"offset {interface.offset:,} s"


def _table(info: cbpf.CaptureInfo) -> list[str]:
    """A line an interface, below a line of titles; columns that tell nothing are left out."""
    interfaces = [one.interface for one in info.interfaces]
    columns = [
        ("#", [str(index) for index in range(len(interfaces))]),
        ("section", [f"{one.section}" if info.sections > 1 else "" for one in info.interfaces]),
        ("name", ["" if one.name is None else _shown(one.name) for one in interfaces]),
        ("link type", [_link_type(one) for one in interfaces]),
        ("snapshot", [f"{one.snaplen:,}" for one in interfaces]),
        ("resolution", [_resolution(one.resolution) for one in interfaces]),
        ("offset", [f"{one.offset:,} s" if one.offset else "" for one in interfaces]),
        ("packets", [f"{one.totals.packets:,}" for one in info.interfaces]),
        ("captured", [f"{one.totals.captured_bytes:,}" for one in info.interfaces]),
    ]
    shown = [_aligned(title, cells) for title, cells in columns if any(cells)]
    return ["  ".join(cells).rstrip() for cells in zip(*shown, strict=True)]


def _aligned(title: str, cells: list[str]) -> list[str]:
    """The cells of a column below its title, words to the left and numbers to the right."""
    width = max(map(len, [title, *cells]))
    are_words = title in ("name", "link type", "resolution")
    return [one.ljust(width) if are_words else one.rjust(width) for one in [title, *cells]]


def _rest(info: cbpf.CaptureInfo) -> Iterator[tuple[str, str]]:
    if info.other_blocks:
        yield "other blocks", ", ".join(f"{count:,} {name}" for name, count in info.other_blocks)
    if info.damage is not None:
        yield "damage", info.damage.removeprefix(f"{info.name}: ")


def _link_type(interface: cbpf.Interface) -> str:
    """Name and LINKTYPE_ number."""
    kind = interface.link_type
    return kind.name if kind.name == str(kind.linktype) else f"{kind.name} ({kind.linktype})"


def _resolution(units: int) -> str:
    """A unit of time, of which a second has so many: a power of 2 or of 10."""
    if units in _RESOLUTIONS:
        return _RESOLUTIONS[units]
    return f"2^-{units.bit_length() - 1} s" if units & (units - 1) == 0 else f"10^-{len(str(units)) - 1} s"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _shown(name: str) -> str:
    """The name of an interface, without anything that a terminal would obey."""
    return name if name.isprintable() and name else repr(name)
