"""Links to the page: its state in the fragment of the URL.

A fragment is "1." and the base64url text, without padding, of a JSON object that is compressed by raw deflate. The
number is the version of the form: a later version reads all earlier ones. The fragment of a URL is not sent to servers.

| key | value | default |
|---|---|---|
| `s` | text of the source | empty |
| `o` | text of the second source | none |
| `y` | link type | `EN10MB` |
| `d` | dialect | `pcap` |
| `O` | 0: the program is not optimised | 1 |
| `S` | snapshot length in bytes, the verdict on accepted packets | 262144 |
| `m` | IPv4 netmask of the network | unknown |
| `g` | goal of the optimiser: `size` or `speed` | `size` |
| `L` | 1: for a live Linux packet socket; needs the dialect `linux` | 0 |
| `p` | hexadecimal digits of the packet | none |
| `w` | length of the packet on the wire | that of its bytes |
| `t` | pane | `program` |
| `c` | name of a capture of the site that has the page, such as `traffic.pcap` of the documentation | none |
| `n` | number of the packet in this capture, from 1 | 1; with `p`, that packet |

The page ignores other keys and values of other types, so that links of later versions open as far as possible.
"""

from __future__ import annotations

import base64
import json
import zlib

import cbpf

from .._typing import Any, Final

DEFAULTS: Final[dict[str, Any]] = {
    "s": "", "o": "", "y": "EN10MB", "d": "pcap", "O": 1, "S": cbpf.DEFAULT_SNAPLEN, "m": "", "g": "size", "L": 0,
    "t": "program",
}  # fmt: skip
"""The values of absent keys; "p", "w", "c" and "n" have none."""
MAX_FRAGMENT: Final = 8_000  # characters
MAX_STATE: Final = 1_000_000  # bytes after decompression
_VERSION: Final = "1"
_BASE64URL: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def fragment(state: dict[str, Any]) -> str:
    """Return the fragment of a state.

    Raises:
        cbpf.FieldError: It would be longer than 8,000 characters, or its JSON object is longer than 1,000,000 bytes.
    """
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    if len(text) > MAX_STATE:
        raise cbpf.FieldError(f"link: the state has {len(text):,} bytes; that of a link has at most {MAX_STATE:,}")
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = base64.urlsafe_b64encode(compressor.compress(text) + compressor.flush()).rstrip(b"=").decode()
    result = f"{_VERSION}.{packed}"
    if len(result) > MAX_FRAGMENT:
        raise cbpf.FieldError(f"link: {len(result):,} characters; a link has at most {MAX_FRAGMENT:,}")
    return result


def state(fragment: str) -> dict[str, Any]:
    """Return the state of a fragment.

    Raises:
        cbpf.FieldError: The fragment is truncated or corrupt, or has another version.
    """
    version, point, packed = fragment.partition(".")
    if version != _VERSION or not point:
        raise cbpf.FieldError(f"link: version {version[:20]!r} is not known; this version of cbpf reads {_VERSION}")
    if len(fragment) > MAX_FRAGMENT:
        raise cbpf.FieldError(f"link: {len(fragment):,} characters; a link has at most {MAX_FRAGMENT:,}")
    try:
        if not _BASE64URL.issuperset(packed):
            raise ValueError
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_")
        decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
        text = decompressor.decompress(data, MAX_STATE)
        if not decompressor.eof or decompressor.unused_data:
            raise ValueError
        value = json.loads(text.decode(), parse_constant=_reject)
    except (ValueError, zlib.error, RecursionError):
        raise cbpf.FieldError("link: truncated or corrupt") from None
    if not isinstance(value, dict):
        raise cbpf.FieldError("link: truncated or corrupt")
    return value


def _reject(constant: str) -> None:
    """Reject NaN and infinities, which JSON does not have."""
    raise ValueError(constant)
