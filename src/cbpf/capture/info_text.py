"""The summary of a capture as text."""

from __future__ import annotations

from collections.abc import Iterator

from .._text import aligned, counted
from .._typing import TYPE_CHECKING, Final
from .time_text import iso_time

if TYPE_CHECKING:
    from .base import Interface
    from .info import CaptureInfo, PacketTotals

_SECOND: Final = 1_000_000_000
_RESOLUTIONS: Final = {
    1: "seconds",
    1_000: "milliseconds",
    1_000_000: "microseconds",
    1_000_000_000: "nanoseconds",
    1_000_000_000_000: "picoseconds",
}
_BYTE_ORDERS: Final = {"<": "little-endian", ">": "big-endian"}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))  # seconds, largest unit first


def info_text(info: CaptureInfo) -> str:
    """Return the lines of a summary: the name of the capture, then a property in each line."""
    rows = [*_storage(info), *_selection(info), *_packets(info), *_times(info), *_interfaces(info), *_rest(info)]
    return "\n".join([info.name, *aligned(rows, margin="  ")])


def _storage(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    variant = f" (variant of {info.variant}'s libpcap)" if info.variant else ""
    byte_orders = " and ".join(_BYTE_ORDERS[order] for order in info.byte_orders)
    yield "format", f"{info.container} {info.version}{variant}" + (f", {byte_orders}" if byte_orders else "")
    if info.file_size is not None or info.compression is None:
        yield "size", counted(info.capture_size if info.file_size is None else info.file_size, "byte")
    if info.compression is not None:
        yield "compression", f"{info.compression}, {counted(info.capture_size, 'byte')} uncompressed"


def _selection(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    if info.since_ns is not None:
        yield "since", f"{_short_time(info.since_ns)} (packets before it are not counted)"
    if info.until_ns is not None:
        yield "until", f"{_short_time(info.until_ns)} (packets from then on are not counted)"
    if info.sample is not None:
        yield "sample", f"1/{info.sample}, seed {info.seed} (other packets are not counted)"


def _short_time(time_ns: int) -> str:
    """Return a time without zeros at the end of its fraction."""
    return iso_time(time_ns)[:-1].rstrip("0").rstrip(".") + "Z"


def _packets(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    totals = info.totals
    yield "packets", f"{totals.packets:,}"
    if totals.packets:
        yield "captured", counted(totals.captured_bytes, "byte")
        yield "on the wire", counted(totals.wire_bytes, "byte")
        yield "lengths", _lengths(totals)
    if totals.truncated:
        yield "truncated", counted(totals.truncated, "packet")


def _lengths(totals: PacketTotals) -> str:
    if totals.smallest == totals.largest:
        return f"{counted(totals.largest or 0, 'byte')} captured" + (" of each packet" if totals.packets > 1 else "")
    return f"{totals.smallest:,} to {totals.largest:,} bytes captured, {totals.mean:,.1f} on average"


def _times(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    totals = info.totals
    needs_nanoseconds = any(entry.interface.needs_nanoseconds for entry in info.interfaces)
    unused = 0 if needs_nanoseconds else 3  # digits, all of them zero
    if totals.earliest is not None and totals.latest is not None and totals.duration_ns is not None:
        yield "earliest", totals.earliest[: -1 - unused] + "Z"
        yield "latest", totals.latest[: -1 - unused] + "Z"
        yield "duration", _duration(totals.duration_ns, 9 - unused)
    if info.out_of_order:
        yield "out of order", f"{counted(info.out_of_order, 'packet')} earlier than the previous one"
    if totals.untimed:
        yield "without time", counted(totals.untimed, "packet")


def _duration(duration_ns: int, digits: int) -> str:
    """Return a duration in seconds, followed by days, hours, minutes and seconds if it is a minute or longer."""
    seconds, fraction = divmod(duration_ns, _SECOND)
    text = f"{seconds:,}.{f'{fraction:09}'[:digits]} s"
    parts, remaining = [], seconds
    for size, unit in _UNITS:
        count, remaining = divmod(remaining, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return f"{text} ({' '.join(parts)})" if seconds >= 60 else text


def _interfaces(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    if info.sections != 1:
        yield "sections", f"{info.sections:,}"
    if not info.interfaces:
        yield "interfaces", "none"
    elif len(info.interfaces) == 1:
        yield "interface", ", ".join(_interface_fields(info.interfaces[0].interface))
    else:
        lines = _table(info)
        yield "interfaces", lines[0]
        yield from (("", line) for line in lines[1:])


def _interface_fields(interface: Interface) -> Iterator[str]:
    if interface.name is not None:
        yield _printable(interface.name)
    yield _link_type(interface)
    yield f"snapshot length {interface.snaplen:,}"
    yield _resolution(interface.resolution)
    if interface.offset:
        yield f"offset {interface.offset:,} s"


def _table(info: CaptureInfo) -> list[str]:
    """Return a line of titles and a line per interface; empty columns are left out."""
    interfaces = [entry.interface for entry in info.interfaces]
    columns = [
        ("#", [str(index) for index in range(len(interfaces))]),
        ("section", [f"{entry.section}" if info.sections > 1 else "" for entry in info.interfaces]),
        ("name", ["" if entry.name is None else _printable(entry.name) for entry in interfaces]),
        ("link type", [_link_type(entry) for entry in interfaces]),
        ("snapshot", [f"{entry.snaplen:,}" for entry in interfaces]),
        ("resolution", [_resolution(entry.resolution) for entry in interfaces]),
        ("offset", [f"{entry.offset:,} s" if entry.offset else "" for entry in interfaces]),
        ("packets", [f"{entry.totals.packets:,}" for entry in info.interfaces]),
        ("captured", [f"{entry.totals.captured_bytes:,}" for entry in info.interfaces]),
    ]
    aligned = [_aligned(title, cells) for title, cells in columns if any(cells)]
    return ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]


def _aligned(title: str, cells: list[str]) -> list[str]:
    """Return the title and the cells of a column, padded: text is aligned to the left, numbers to the right."""
    column = [title, *cells]
    width = max(map(len, column))
    is_text = title in ("name", "link type", "resolution")
    return [cell.ljust(width) if is_text else cell.rjust(width) for cell in column]


def _rest(info: CaptureInfo) -> Iterator[tuple[str, str]]:
    if info.other_blocks:
        yield "other blocks", ", ".join(f"{count:,} {name}" for name, count in info.other_blocks)
    if info.damage is not None:
        yield "damage", info.damage.removeprefix(f"{info.name}: ")


def _link_type(interface: Interface) -> str:
    """Return the name and the LINKTYPE_ number of an interface's link type."""
    kind = interface.link_type
    return kind.name if kind.name == str(kind.linktype) else f"{kind.name} ({kind.linktype})"


def _resolution(units: int) -> str:
    """Return the unit of time of which a second has *units*, a power of 2 or of 10."""
    if units in _RESOLUTIONS:
        return _RESOLUTIONS[units]
    return f"2^-{units.bit_length() - 1} s" if units & (units - 1) == 0 else f"10^-{len(str(units)) - 1} s"


def _printable(name: str) -> str:
    """Return the name of an interface, with escapes for control characters."""
    return name if name.isprintable() and name else repr(name)
