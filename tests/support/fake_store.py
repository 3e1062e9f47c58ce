"""A store of many small captures that exist only when they are read: FOLDERS folders, each with OBJECTS objects.

Object n has two packets, which begin 3 n seconds after START. The calls are counted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Final

import pytest

from support.archives import START, capture

fsspec: Any = pytest.importorskip("fsspec", reason="needs fsspec; ./dev test --all installs it")

PROTOCOL: Final = "counted"
FOLDERS: Final = 100
STEP: Final = 3  # seconds between two objects


class CountedStore(fsspec.AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The file system; *objects* of all instances is the number of objects in each folder."""

    protocol = PROTOCOL
    objects: ClassVar[int] = 1000
    listed: ClassVar[Counter[str]] = Counter()
    read: ClassVar[Counter[str]] = Counter()

    @classmethod
    def reset(cls, objects: int) -> None:
        """Forget the calls, and set the number of objects in each folder."""
        cls.objects = objects
        cls.listed, cls.read = Counter(), Counter()

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """List a folder."""
        path = path.strip("/")
        self.listed[path] += 1
        if path == "archive":
            names = [f"archive/{folder:03}" for folder in range(FOLDERS)]
            return [{"name": name, "size": 0, "type": "directory"} for name in names]
        return [self._entry(f"{path}/{number:06}.pcap") for number in range(self.objects)]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Describe a folder or an object."""
        path = path.strip("/")
        if path.endswith(".pcap"):
            return self._entry(path)
        if path != "archive":
            raise FileNotFoundError(path)
        return {"name": path, "size": 0, "type": "directory"}

    def _entry(self, name: str) -> dict[str, Any]:
        return {"name": name, "size": 200, "type": "file", "etag": f"{hash(name):x}"}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """Return a capture."""
        self.read[path] += 1
        _, folder, name = path.split("/")
        number = int(folder) * self.objects + int(name.removesuffix(".pcap"))
        return capture(START + STEP * number, 2)


fsspec.register_implementation(PROTOCOL, CountedStore, clobber=True)
