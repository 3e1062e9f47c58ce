"""Paths and URLs as places in stores, and the drivers of the stores."""

import os
from collections.abc import Mapping

from .._named_tuple import NamedTuple
from .._stdlib import suppress
from .._suggestions import suggestion
from .._typing import Any, Final
from ..errors import ArchiveError, MissingLibrary
from .libraries import load_fsspec
from .local_files import LocalFiles

LOCAL_PROTOCOLS: Final = ("file", "local")
_DEFAULTS: Final = {"use_listings_cache": False}  # a cached listing would show the old version of a replaced object
_PACKAGES: Final = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}


class Location(NamedTuple):
    """A place in a store.

    Args:
        path: The absolute path of a local file, or the URL.
        driver: The file system of fsspec, which the process shares; for local files, an object with its methods.
        name: The path as the driver expects it.
        prefix: The beginning of the URLs of this store, before the names of the driver; "" for local files.
    """

    path: str
    driver: Any
    name: str
    prefix: str

    @property
    def is_local(self) -> bool:
        """Whether it is a file of this machine."""
        return not self.prefix

    def path_of(self, name: str) -> str:
        """Return the path of another name of the driver."""
        return self.prefix + name


def protocol_of(path: str) -> str:
    """Return the protocol of a path or URL; "file" for a path."""
    protocol, separator, _ = path.partition("://")
    return protocol if separator else "file"


def locate(path: str, options: Mapping[str, Any]) -> Location:
    """Return the place of a path or URL.

    Args:
        path: A path of this machine, or a URL with a protocol that fsspec knows.
        options: The storage options of the driver.

    Returns:
        The place; the connection is made at its first use.

    Raises:
        ArchiveError: The protocol is not known, the driver rejects the options, or the path is "-".
        MissingLibrary: The driver is not installed.
    """
    protocol = protocol_of(path)
    if path == "-":
        raise ArchiveError("-: standard input and output are not supported for archives; name a path or a URL")
    if "::" in path:
        raise ArchiveError(f"{path}: is a chain of URLs, which archives do not support; name the objects themselves")
    if protocol in LOCAL_PROTOCOLS:
        local = os.path.abspath(path.partition("://")[2] if "://" in path else path)
        return Location(local, LocalFiles(), local, "")
    driver = _driver(path, protocol, options)
    url = path if path.endswith("://") else path.rstrip("/")
    name = driver._strip_protocol(url)
    if url.endswith(name):
        return Location(url, driver, name, url[: len(url) - len(name)])
    whole = driver.unstrip_protocol(name)
    return Location(whole, driver, name, whole[: len(whole) - len(name)])


def _driver(path: str, protocol: str, options: Mapping[str, Any]) -> Any:
    load_fsspec()
    from fsspec.core import url_to_fs

    try:
        driver, _ = url_to_fs(path, **{**_DEFAULTS, **options})
    except ImportError as error:
        raise MissingLibrary(f"{path}: {_driver_remedy(protocol, error)}") from None
    except ValueError as error:
        raise ArchiveError(f"{path}: {_unknown_protocol(protocol) or error}") from None
    except TypeError as error:
        raise ArchiveError(f"{path}: the driver rejects the storage options: {error}") from None
    return driver


def _driver_remedy(protocol: str, error: ImportError) -> str:
    package = _PACKAGES.get(protocol)
    if package is None:
        return f"the protocol {protocol!r} needs a driver that is not installed: {' '.join(str(error).split())}"
    return f"the protocol {protocol!r} needs {package}: pip install {package}"


def _unknown_protocol(protocol: str) -> str | None:
    with suppress(ImportError):
        from fsspec.registry import available_protocols

        known = available_protocols()
        if protocol not in known:
            return f"the protocol {protocol!r} is unknown{suggestion(protocol, known)}"
    return None


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder of a store.

    >>> join("s3://bucket/out/", "a.pcap")
    's3://bucket/out/a.pcap'
    """
    return f"{folder.rstrip('/')}/{name}"
