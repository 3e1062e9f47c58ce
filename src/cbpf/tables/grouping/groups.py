"""The largest groups of packets: the result of `top`."""

from ..._named_tuple import NamedTuple
from ..._record import Record
from ..._text import Readable
from ..._typing import Any, Literal, TypeAlias

Measure: TypeAlias = Literal["packets", "bytes"]


class TopGroup(NamedTuple):
    """The packets with the same values of some columns.

    Args:
        key: The values, in the order of the columns: text of addresses and times, numbers, Boolean values, or None for
            packets that do not have the column.
        packets: The number of packets, or fewer than that by up to *packets_error*.
        bytes: The lengths of the packets on the wire, in bytes, or fewer than that by up to *bytes_error*.
        packets_error: The largest number of packets that may be missing in *packets*; 0: the number is exact.
        bytes_error: The largest number of bytes that may be missing in *bytes*; 0: the number is exact.
    """

    key: tuple[Any, ...]
    packets: int
    bytes: int
    packets_error: int = 0
    bytes_error: int = 0


class TopGroups(Record, Readable):
    """The result of `top`; its text is a table.

    Args:
        by: The names of the columns whose values make a group.
        sort: The measure by which groups are compared: "packets" or "bytes".
        groups: The largest groups, the largest one first.
        packets: The number of packets of all groups.
        bytes: The lengths of the packets of all groups on the wire, in bytes.
        group_count: The number of groups; None if there are more than *max_groups*, and numbers are approximate.
        max_groups: The number of groups that were counted at a time.
        packets_error: No group that is not in *groups* because it was forgotten has more packets; 0 if none was.
        bytes_error: No group that is not in *groups* because it was forgotten has more bytes; 0 if none was.
        damage: The messages of the `DamagedCapture` of sources that end early, or None.
    """

    by: tuple[str, ...]
    sort: Measure
    groups: tuple[TopGroup, ...]
    packets: int
    bytes: int
    group_count: int | None
    max_groups: int
    packets_error: int = 0
    bytes_error: int = 0
    damage: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether no group was forgotten, so that all numbers are exact."""
        return self.group_count is not None

    def shares(self, group: TopGroup) -> tuple[float, float]:
        """Return the shares of a group in all packets and bytes.

        Args:
            group: One of `groups`.

        Returns:
            The share of its packets, and that of its bytes, from 0 to 1.
        """
        return group.packets / max(1, self.packets), group.bytes / max(1, self.bytes)

    def __str__(self) -> str:
        from .text import groups_text

        return groups_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Return the groups as a dictionary of JSON types, as `cbpf top --json` prints it.

        Returns:
            The fields by name, and the shares of each group in all packets and bytes.
        """
        names = self.__match_args__
        return {name: getattr(self, name) for name in names} | {
            "by": list(self.by),
            "groups": [self._group(group) for group in self.groups],
            "is_exact": self.is_exact,
        }

    def _group(self, group: TopGroup) -> dict[str, Any]:
        packets_share, bytes_share = self.shares(group)
        return {
            "key": dict(zip(self.by, group.key, strict=True)),
            "packets": group.packets,
            "packets_share": packets_share,
            "packets_error": group.packets_error,
            "bytes": group.bytes,
            "bytes_share": bytes_share,
            "bytes_error": group.bytes_error,
        }
