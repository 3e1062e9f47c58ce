"""The names of the objects that an operation writes: those of the sources, in another folder."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..capture.compression_kinds import COMPRESSIONS, compression_suffix, has_suffix_of_compression
from ..capture.compressors import compressor_for_file
from ..capture.registry import format_names
from ..errors import ArchiveError, CaptureError
from .listing import entry_of, has_pattern
from .locations import Location, join
from .stores import Store


def source_folder(store: Store, source: str) -> str | None:
    """Return the folder that names of outputs are relative to; None for a list, and for a manifest.

    It is the folder that the source is, or that contains the object, the pattern or the beginning of names.
    """
    if source.startswith("@"):
        return None
    location = store.locate(source)
    if has_pattern(location.path):
        parts = location.path.split("/")
        fixed = next(index for index, part in enumerate(parts) if has_pattern(part))
        return "/".join(parts[:fixed])
    entry = entry_of(location)
    is_folder = entry is not None and entry["type"] == "directory"
    return location.path.rstrip("/") if is_folder else location.path.rpartition("/")[0]


def require_outside(store: Store, source: str, folder: str | None, target: Location) -> None:
    """Raise `ArchiveError` if outputs in a target would be among the objects of the source, or replace them."""
    if folder is None:
        return
    path, target_path = store.locate(source).path.rstrip("/"), target.path.rstrip("/")
    is_deep = "**" in path or not has_pattern(path)
    begin = folder if has_pattern(path) else path  # of the names of the objects
    is_inside = is_deep and target_path.startswith(f"{begin}/" if begin == folder else begin)
    if target_path == folder or is_inside:
        raise ArchiveError(
            f"{target.path}: is inside of the source, to which outputs would be added; name another folder"
        )


def require_folder(target: Location) -> None:
    """Raise `ArchiveError` if a target, in which objects are to be written, is a file of this machine."""
    if target.is_local and os.path.exists(target.name) and not os.path.isdir(target.name):
        raise ArchiveError(f"{target.path}: is a file; name a folder")


def require_own_folder(store: Store, source: str, manifest: str) -> None:
    """Raise `ArchiveError` if the folder of a manifest contains the objects that it is to describe."""
    location = store.locate(manifest)
    require_folder(location)
    begin = location.path.rstrip("/") + "/"
    for scope in store.scopes(source):
        if f"{scope.location.path_of(scope.folder).rstrip('/')}/".startswith(begin):
            raise ArchiveError(f"{location.path}: contains the objects of the source; a manifest needs another folder")


def output_name(path: str, folder: str | None, compress: str | None, container: str) -> str:
    """Return the name of the output for an object.

    It is the path relative to *folder*, or the whole path without its protocol. Its suffixes are those of the
    compression and of the format, if these are chosen. The suffix of a compression that is not written is removed.
    """
    name = path[len(folder) + 1 :] if folder is not None and path.startswith(f"{folder}/") else _without_protocol(path)
    if ".." in name.split("/"):
        raise ArchiveError(f"{path}: has a part '..', which is not copied to the name of an output")
    stem = os.path.splitext(name)[0] if has_suffix_of_compression(name) else name
    if container != "same":
        base, suffix = os.path.splitext(stem)
        stem = f"{base if suffix.removeprefix('.') in (*format_names(), 'cap') else stem}.{container}"
    return stem + (compression_suffix(name) if compress is None else _suffix_of(compress))


def _without_protocol(path: str) -> str:
    return path.partition("://")[2] or path.lstrip("/")


def _suffix_of(compress: str) -> str:
    """Return the suffix of a compression such as "zstd" or "zstd:3"; "" for "none"."""
    name = compress.partition(":")[0]
    return next((kind.suffixes[0] for kind in COMPRESSIONS if kind.name == name and kind.suffixes), "")


def compression_for(name: str, compress: str | None) -> str:
    """Return the compression of an output: the chosen one, or else that of its name.

    Raises `ArchiveError` for a name that requires one that cannot be written, or `MissingLibrary`.
    """
    if compress is not None:
        return compress
    if not has_suffix_of_compression(name):
        return "none"
    try:
        compressor_for_file(name)
    except CaptureError as error:
        raise ArchiveError(str(error)) from None
    suffix = compression_suffix(name).lower()
    return next(kind.name for kind in COMPRESSIONS if suffix in kind.suffixes)


def require_different(pairs: Iterable[tuple[str, str]]) -> None:
    """Raise `ArchiveError` if two objects, given with the names of their outputs, have one name."""
    sources: dict[str, str] = {}
    for path, name in pairs:
        if name in sources:
            fact = f"{sources[name]} has the same output, {name}"
            raise ArchiveError(f"{path}: {fact}; each object needs an output of its own")
        sources[name] = path


def output_path(target: str, route: str, name: str) -> str:
    """Return the path of an output in the folder of a route, "" for an operation without routes."""
    return join(join(target, route), name) if route else join(target, name)
