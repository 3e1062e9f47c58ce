"""The interfaces of the captures of a table: one list for all captures, and the metadata of its schema."""

from ..capture.base import Interface
from ..capture.interface_metadata import METADATA_KEY, encoded_interfaces
from ..capture.reader import CaptureReader


class InterfaceTable:
    """The interfaces of several captures, in the order in which they become known, and the names of their link types.

    The interfaces that a pcapng describes after its start are added when they are needed.
    """

    def __init__(self) -> None:
        self.interfaces: list[Interface] = []
        self.link_types: list[str] = []
        self._indices: dict[CaptureReader, list[int]] = {}

    def indices(self, reader: CaptureReader) -> list[int]:
        """Return the index in this table of each interface of a capture."""
        indices = self._indices.setdefault(reader, [])
        for interface in reader.container.interfaces[len(indices) :]:
            indices.append(len(self.interfaces))
            self.interfaces.append(interface)
            if interface.link_type.name not in self.link_types:
                self.link_types.append(interface.link_type.name)
        return indices

    def link_type_indices(self, reader: CaptureReader) -> list[int]:
        """Return the index in `link_types` of the link type of each interface of a capture."""
        return [self.link_types.index(self.interfaces[index].link_type.name) for index in self.indices(reader)]

    def metadata(self) -> dict[bytes, bytes]:
        """Return the metadata of a schema."""
        return {METADATA_KEY: encoded_interfaces(self.interfaces)}
