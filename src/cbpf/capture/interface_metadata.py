"""The interfaces of a capture as JSON, in the metadata of the schema of a table that was read from it."""

import json
from collections.abc import Iterable

from .._typing import Any, Final
from .._validators import integer
from ..errors import FieldError
from ..packet.host_order import ByteOrder
from ..packet.link_types import link_type
from .base import Interface

METADATA_KEY: Final = b"cbpf"
"""The key of the interfaces in the metadata of a schema."""

_VERSION: Final = 1
_BYTE_ORDERS: Final[dict[ByteOrder, str]] = {"<": "little", ">": "big"}
_PLACE: Final = "table: metadata 'cbpf' of the schema"


def encoded_interfaces(interfaces: Iterable[Interface]) -> bytes:
    """Return interfaces as JSON."""
    content = {"version": _VERSION, "interfaces": [_encoded(interface) for interface in interfaces]}
    return json.dumps(content).encode()


def _encoded(interface: Interface) -> dict[str, Any]:
    return {
        "link_type": interface.link_type.name,
        "link_value": interface.link_type.linktype,
        "snaplen": interface.snaplen,
        "byte_order": _BYTE_ORDERS[interface.byte_order],
        "resolution": interface.resolution,
        "offset": interface.offset,
        "name": interface.name,
    }


def decoded_interfaces(data: bytes) -> tuple[Interface, ...]:
    """Return the interfaces of JSON; raise `FieldError` if it is not that of `encoded_interfaces`."""
    try:
        content = json.loads(data)
        version, rows = content["version"], content["interfaces"]
        if version != _VERSION:
            raise FieldError(f"{_PLACE}: version {version!r}; this version of cbpf reads {_VERSION}")
        return tuple(_decoded(row) for row in rows)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, FieldError):
            raise
        raise FieldError(f"{_PLACE}: not the interfaces of a capture ({type(error).__name__}: {error})") from None


def _decoded(row: dict[str, Any]) -> Interface:
    numbers = {name: integer(f"{_PLACE}: {name}", row[name]) for name in ("snaplen", "resolution", "offset")}
    if numbers["snaplen"] < 0 or numbers["resolution"] < 1:
        raise FieldError(f"{_PLACE}: snaplen must not be negative, and resolution must be at least 1")
    name = None if row["name"] is None else str(row["name"])
    byte_order: ByteOrder = next(order for order, text in _BYTE_ORDERS.items() if text == row["byte_order"])
    return Interface(link_type(row["link_value"]), byte_order=byte_order, name=name, **numbers)
