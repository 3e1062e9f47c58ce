"""Text for a count, a packet and its metadata: the functions that results of the public API use for their own text."""

from .._text import counted
from ..packet.packet_text import changed_metadata, dump, packet_lines

__all__ = ["changed_metadata", "counted", "dump", "packet_lines"]
