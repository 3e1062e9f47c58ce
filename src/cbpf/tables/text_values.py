"""Values of columns as text for people: addresses, times, and bytes as hexadecimal digits."""

from .._typing import Any, Callable, Final
from .fields import FIELD_NAMES, field_type
from .libraries import load_compute, load_pyarrow

_IPV4: Final = ("src_ip", "dst_ip")


def is_textual(name: str, kind: Any) -> bool:
    """Return whether the values of a column with an Arrow type are text, and not numbers or Boolean values."""
    types = load_pyarrow().types
    is_number = types.is_integer(kind) or types.is_boolean(kind)
    return name in _IPV4 or not is_number


def texts(name: str, values: Any) -> Any:
    """Return the values of a column as an array or a chunked array of strings; a null value remains null."""
    pa = load_pyarrow()
    kind = values.type
    if name in _IPV4:
        return _of_each(values, _ipv4_text)
    if name == "data":
        return pa.array([None if value is None else value.hex() for value in values.to_pylist()], pa.large_string())
    if pa.types.is_timestamp(kind):
        return _times(values)
    if name in FIELD_NAMES and field_type(name).startswith("binary"):
        return _of_each(values, _ipv6_text if field_type(name) == "binary16" else _mac_text)
    return load_compute().cast(values, pa.string())


def _times(values: Any) -> Any:
    """Return times in ISO 8601 format (UTC) with nanoseconds, without a database of time zones."""
    pa, pc = load_pyarrow(), load_compute()
    plain = pc.cast(pc.cast(values, pa.int64()), pa.timestamp("ns"))
    return pc.strftime(plain, format="%Y-%m-%dT%H:%M:%SZ")


def _of_each(values: Any, text_of: Callable[[Any], str]) -> Any:
    """Return the text of each value; that of repeated values is computed once."""
    pa = load_pyarrow()
    if isinstance(values, pa.ChunkedArray):
        return pa.chunked_array([_of_each(chunk, text_of) for chunk in values.chunks], pa.string())
    encoded = values.dictionary_encode()
    distinct = pa.array(map(text_of, encoded.dictionary.to_pylist()), pa.string())
    return distinct.take(encoded.indices)


def _ipv4_text(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _ipv6_text(address: bytes) -> str:
    from socket import AF_INET6, inet_ntop

    return inet_ntop(AF_INET6, address)


def _mac_text(address: bytes) -> str:
    return address.hex(":")
