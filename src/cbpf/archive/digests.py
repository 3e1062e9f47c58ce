"""Digests of texts: names and versions of objects, jobs and receipts."""

from hashlib import blake2b


def digest(text: str, size: int = 16) -> bytes:
    """Return a digest of *size* bytes of a text, which may contain names of files that are not UTF-8."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=size).digest()
