"""The objects that a pattern names, folder by folder: no listing of a whole archive is in memory."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from .._named_tuple import NamedTuple
from .._stdlib import partial, suppress
from .._typing import Any, Final
from ..errors import ArchiveError
from .attempts import attempt
from .locations import Location

MARKER: Final = "_cbpf-manifest.json"
"""The name of the object that makes a folder a manifest; readers of Parquet ignore names that begin with _."""

_MAGIC: Final = re.compile(r"[*?\[]")
_ETAGS: Final = ("ETag", "etag", "md5Hash", "content_md5", "checksum")
_TIMES: Final = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
_ENDS: Final = ((), ("**",))  # the rest of a pattern after a file that matches


class Object(NamedTuple):
    """An object of a store.

    Args:
        path: The absolute path of a local file, or the URL.
        size: The size in bytes, as stored; 0 if the store does not state it.
        etag: The version of the content: the entity tag of the store, or else times and numbers that change when the
            object is replaced.
    """

    path: str
    size: int
    etag: str


def has_pattern(path: str) -> bool:
    """Return whether a path contains a pattern of the shell: "*", "?" or "["."""
    return _MAGIC.search(path) is not None


def object_of(location: Location, entry: Mapping[str, Any]) -> Object:
    """Return the object that a driver describes."""
    etag = next((str(entry[key]).strip('"') for key in _ETAGS if entry.get(key)), "")
    if not etag:
        time = next((entry[key] for key in _TIMES if entry.get(key) is not None), "")
        time = time.timestamp() if isinstance(time, datetime) else time  # one driver lists a number for the same time
        etag = "-".join(str(part) for part in (time, entry.get("ino"), entry.get("size")) if part is not None)
    return Object(location.path_of(entry["name"]), entry.get("size") or 0, etag)


class Scope(NamedTuple):
    """The objects that a place names: those below a folder whose relative paths match one of the patterns.

    Args:
        location: The place.
        folder: The name of the folder, as the driver expects it.
        patterns: Patterns with an item for each part of a path.
        entry: The driver's description of the object, if the place is one.
        is_certain: Whether the folder is known to exist.
    """

    location: Location
    folder: str
    patterns: tuple[tuple[str, ...], ...]
    entry: Mapping[str, Any] | None = None
    is_certain: bool = False

    def objects(self) -> Iterator[Object]:
        """Yield the objects; each folder is listed once, when its objects are requested."""
        if self.entry is None:
            return _matches(self.location, self.folder, self.patterns, is_required=not self.is_certain)
        return iter([object_of(self.location, self.entry)])

    def contains(self, path: str) -> bool:
        """Return whether an object with a path would be one of them."""
        begin = self.location.path_of(self.folder).rstrip("/") + "/"
        if not path.startswith(begin):
            return False
        patterns: Sequence[tuple[str, ...]] = self.patterns
        for part in path.removeprefix(begin).split("/"):
            patterns = [rest for pattern in patterns if pattern for rest in _remaining(part, pattern)]
        return any(rest in _ENDS for rest in patterns)


def scope_of(location: Location) -> Scope:
    """Return the objects that a place names: a pattern, a folder, an object, or the beginning of names.

    Manifests are left out, and names that begin with a period unless the pattern has the period. Within a folder,
    objects are in the order of their names. "**" matches any number of folders.
    """
    parts = location.name.split("/")
    fixed = next((index for index, part in enumerate(parts) if has_pattern(part)), len(parts))
    if fixed < len(parts):
        return Scope(location, "/".join(parts[:fixed]), (tuple(parts[fixed:]),))
    *folder, last = parts
    entry = entry_of(location)
    if entry is None and not folder:
        raise ArchiveError(f"{location.path}: no such bucket")
    if entry is None:
        return Scope(location, "/".join(folder), ((f"{last}*",), (f"{last}*", "**")))
    if entry["type"] == "directory":
        return Scope(location, location.name, (("**",),), is_certain=True)
    return Scope(location, "/".join(folder), ((last,),), entry)


def entry_of(location: Location) -> Mapping[str, Any] | None:
    """Return the driver's description of an object or a folder, or None if there is none."""

    def describe() -> Mapping[str, Any] | None:
        try:
            return location.driver.info(location.name)  # type: ignore[no-any-return]
        except (FileNotFoundError, NotADirectoryError):
            return None

    return attempt(location.path, describe)


def folder_entries(location: Location, folder: str, *, is_required: bool = False) -> list[Mapping[str, Any]]:
    """Return the entries of a folder in the order of their names; none if the folder does not exist.

    Raises `ArchiveError` if a folder that *is_required* does not exist.
    """

    def list_folder() -> list[Mapping[str, Any]]:
        try:
            return location.driver.ls(folder or _root_of(location), detail=True)  # type: ignore[no-any-return]
        except (FileNotFoundError, NotADirectoryError):
            if is_required:
                raise
            return []

    entries = map(partial(_followed, location), attempt(location.path_of(folder), list_folder))
    return sorted((entry for entry in entries if _last(entry) and _name(entry) != folder), key=_name)


def _followed(location: Location, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the entry of the file that a symbolic link leads to, under the name of the link, but no folder."""
    if not entry.get("islink"):
        return entry
    with suppress(FileNotFoundError):
        target = location.driver.info(entry["name"])
        if target["type"] == "file":
            return {**target, "name": entry["name"]}
    return entry


def _root_of(location: Location) -> str:
    return "/" if location.is_local else ""


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"])


def _last(entry: Mapping[str, Any]) -> str:
    """Return the last part of a name; "" for the entry of a folder itself, which some stores have as an object."""
    name = _name(entry)
    return "" if name.endswith("/") and entry["type"] != "directory" else name.rstrip("/").rpartition("/")[2]


def _matches(
    location: Location, folder: str, patterns: Sequence[tuple[str, ...]], *, is_required: bool = False
) -> Iterator[Object]:
    """Yield the objects below a folder whose relative paths match one of the patterns, without those of manifests."""
    entries = folder_entries(location, folder, is_required=is_required)
    if any(_last(entry) == MARKER for entry in entries):
        return
    for entry in entries:
        remaining = [rest for pattern in patterns for rest in _remaining(_last(entry), pattern)]
        if entry["type"] == "directory" and any(remaining):
            yield from _matches(location, _name(entry).rstrip("/"), [rest for rest in remaining if rest])
        elif entry["type"] == "file" and any(rest in _ENDS for rest in remaining):
            yield _sized(location, entry)


def _remaining(name: str, pattern: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the rest of a pattern after a part of a path that it matches; "**" has several continuations."""
    head, rest = pattern[0], pattern[1:]
    if name.startswith(".") and not head.startswith("."):
        return
    if head == "**":
        yield pattern
        if rest:
            yield from _remaining(name, rest)
    elif fnmatchcase(name, head):
        yield rest


def _sized(location: Location, entry: Mapping[str, Any]) -> Object:
    """Return the object of an entry; request its size where the listing does not have it."""
    if entry.get("size") is None:
        entry = entry_of(location._replace(path=location.path_of(_name(entry)), name=_name(entry))) or entry
    return object_of(location, entry)
