"""The result of a filter run."""

from .._named_tuple import NamedTuple
from .._typing import Any


class Summary(NamedTuple):
    """The counts of a filter run.

    Args:
        packets_seen: The number of packets that were filtered.
        packets_accepted: The number of packets that the filter accepted.
        bytes_seen: The bytes captured of the packets that were filtered, without record headers.
        bytes_accepted: The bytes captured of the packets that the filter accepted, without record headers.
        seconds: The duration of the run in seconds.
    """

    packets_seen: int
    packets_accepted: int
    bytes_seen: int
    bytes_accepted: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as a dictionary that can be converted to JSON.

        Returns:
            The fields by name.
        """
        return self._asdict()
