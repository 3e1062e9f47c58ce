"""The values of extension loads that a session replaces, by the names that assembly has for the loads."""

from __future__ import annotations

import cbpf

from ..._typing import Callable, Final, TypeAlias
from .errors import DebuggerError, unknown_word

ExtensionValues: TypeAlias = dict[str, int]
"""The values that replace those of the packets, by name."""
_Replace: TypeAlias = Callable[[cbpf.Metadata, int], cbpf.Metadata]

_DRAWS: Final = 16  # random numbers of a run that are replaced
_COMPUTED: Final = ("len", "nla", "nlan", "xor_x")
_ALIASES: Final = {"vlan_pr": "vlan_avail"}


def _device(metadata: cbpf.Metadata) -> cbpf.Device:
    return metadata.device or cbpf.Device(0)


def _tag(metadata: cbpf.Metadata) -> cbpf.VlanTag:
    return metadata.vlan or cbpf.VlanTag(0)


_FIELDS: Final[dict[str, _Replace]] = {
    "proto": lambda metadata, value: metadata.replace(protocol=value),
    "type": lambda metadata, value: metadata.replace(packet_type=value),
    "ifidx": lambda metadata, value: metadata.replace(device=_device(metadata).replace(index=value)),
    "hatype": lambda metadata, value: metadata.replace(device=_device(metadata).replace(hardware_type=value)),
    "mark": lambda metadata, value: metadata.replace(mark=value),
    "queue": lambda metadata, value: metadata.replace(queue=value),
    "rxhash": lambda metadata, value: metadata.replace(hash=value),
    "cpu": lambda metadata, value: metadata.replace(cpu=value),
    "vlan_tci": lambda metadata, value: metadata.replace(vlan=_tag(metadata).replace(tci=value)),
    "vlan_tpid": lambda metadata, value: metadata.replace(vlan=_tag(metadata).replace(tpid=value)),
    "vlan_avail": lambda metadata, value: metadata.replace(vlan=_tag(metadata) if value else None),
    "poff": lambda metadata, value: metadata.replace(payload_offset=value),
    "rand": lambda metadata, value: metadata.replace(draws=(value,) * _DRAWS),
}
"""The replacement of each value; that of a tag adds the tag, and `vlan_avail` adds or removes it after the others."""


EXTENSION_NAMES: Final = tuple(_FIELDS)
"""The loads whose values can be replaced."""


def load_name(word: str) -> str:
    """Return the name of a load, which assembly also writes with # before it."""
    name = word.removeprefix("#").lower()
    return _ALIASES.get(name, name)


def check_value(name: str, value: int, dialect: cbpf.Dialect) -> None:
    """Raise an error if a value cannot be replaced, or does not fit the load."""
    if not dialect.extensions:
        raise DebuggerError(f"programs of the dialect {dialect.name} load no {name}; use --dialect linux")
    if name in _COMPUTED:
        raise DebuggerError(f"the load {name} is computed from the packet and the registers")
    if name not in _FIELDS:
        raise unknown_word(name, "extension load", _FIELDS)
    if name == "vlan_avail" and value > 1:
        raise DebuggerError("vlan_avail is 0 or 1")
    replaced_metadata(cbpf.Metadata(), {name: value})


def replaced_metadata(metadata: cbpf.Metadata, values: ExtensionValues) -> cbpf.Metadata:
    """Return the metadata of a packet with other values.

    Raises:
        DebuggerError: A value does not fit the load.
    """
    for name, replace in _FIELDS.items():
        if name in values:
            try:
                metadata = replace(metadata, values[name])
            except cbpf.FieldError as error:
                raise DebuggerError(str(error).partition(": ")[2]) from None
    return metadata
