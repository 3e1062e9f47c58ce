"""Files that are not pcap or pcapng captures: their names, and a remedy for each.

Magic numbers of captures are those of Wireshark's wiretap library; `FOREIGN_FORMATS` is the only table of them.
"""

import re
from contextlib import suppress

from .._named_tuple import NamedTuple
from .._typing import Final
from ..errors import CaptureError
from .base import BEGIN_SIZE
from .compression_kinds import compression_of
from .input import Input

_SIZE: Final = 512  # bytes at the start of a file that are tested; a tar archive has its magic number at byte 257

_CONVERT: Final = "convert it: editcap -F pcap IN OUT"
# Formats in which packets may have several link types; editcap writes such files only with a type stated.
_CONVERT_ETHERNET: Final = "convert it: editcap -F pcap -T ether IN OUT if its packets are Ethernet"
_NOT_A_CAPTURE: Final = "give the capture itself"


class ForeignFormat(NamedTuple):
    """A kind of file that cbpf does not read: how it begins, its name with an article, and a remedy."""

    pattern: bytes
    """A regular expression for the first bytes."""
    name: str
    remedy: str
    suffix: str = ""
    """Applies only to files whose name ends so; "" for all."""


def _extract(command: str) -> str:
    return f"extract the capture: {command} | cbpf filter -r -"


FOREIGN_FORMATS: Final = (
    # Captures of other programs
    ForeignFormat(rb"snoop\0\0\0", "a snoop capture (Solaris)", _CONVERT),
    ForeignFormat(rb"btsnoop\0", "a btsnoop capture (Bluetooth)", _CONVERT),
    ForeignFormat(rb"RTSS", "a Network Monitor 1 capture (Microsoft)", _CONVERT),
    ForeignFormat(rb"GMBU", "a Network Monitor 2 capture (Microsoft)", _CONVERT),
    ForeignFormat(rb"TRSNIFF data    \x1a", "a Sniffer capture (DOS)", _CONVERT),
    ForeignFormat(rb"XCP\0|VL\0\0", "a NetXRay or Sniffer capture (Windows)", _CONVERT),
    ForeignFormat(rb"iptrace [12]\.0", "an iptrace capture (AIX)", _CONVERT_ETHERNET),
    ForeignFormat(rb"\0\0\x02\0\x12\x05\0\x10", "a K12 capture (Tektronix)", _CONVERT_ETHERNET),
    ForeignFormat(rb"\+-{9}\+-{15}\+-{10}\+", "a K12 text capture (Tektronix)", _CONVERT_ETHERNET),
    ForeignFormat(rb"\xaa\xaa\xaa\xaa", "a 5View capture (InfoVista)", _CONVERT),
    ForeignFormat(rb"\x05VNF", "a Visual Networks capture", _CONVERT),
    ForeignFormat(rb"[\x01\x07]\x10[\x02-\xff]\0", "a LANalyzer capture (Novell)", _CONVERT),
    ForeignFormat(rb"TR\0\x64\0{7}\x80|\0\0\0\x01\0\0\0\0\0\x07\xd0\0", "a nettl capture (HP-UX)", _CONVERT_ETHERNET),
    ForeignFormat(rb"LOGG", "a BLF capture (Vector)", _CONVERT),
    ForeignFormat(rb"ObserverPktBuffer", "an Observer capture (Network Instruments)", _CONVERT),
    ForeignFormat(rb"\x7fver", "a Peek capture (OmniPeek, AiroPeek)", _CONVERT),
    ForeignFormat(rb"V0208", "an Aethra capture", _CONVERT),
    ForeignFormat(rb"cpse", "a Capsa capture (Colasoft)", _CONVERT),
    ForeignFormat(rb"EyeSDN", "an EyeSDN capture", _CONVERT),
    ForeignFormat(rb".{0,8}Net[Ss]caler ", "a nstrace capture (NetScaler)", _CONVERT),
    ForeignFormat(rb"\x1c\0\x01[\xab\xac]|[\xab\xac]\x01\0\x1c", "an Ixia variant of a pcap capture (lcap)", _CONVERT),
    ForeignFormat(rb"\x42..\x34\x12\x66\x22\x88", "a RADCOM capture", _CONVERT),
    ForeignFormat(rb"#Format=4", "a Daintree capture", _CONVERT),
    ForeignFormat(rb"DLT\x01", "a DLT log (AUTOSAR)", _CONVERT),
    ForeignFormat(rb"#!rtpplay1\.0 ", "an rtpdump file", _CONVERT),
    ForeignFormat(  # two or three numbers, and a date of 1984 to 2047
        rb".{4}\0?[\xc0-\xff]\x07[\x01-\x0c][\x01-\x1f][\0-\x17][\0-;][\0-;]", "a CommView capture", _CONVERT_ETHERNET
    ),
    ForeignFormat(rb"ETHERWATCH |TCPIPtrace ", "a text trace of OpenVMS", _CONVERT),
    ForeignFormat(
        rb"\(\d+\.\d{6}\) \w+ [0-9A-F]+#|;\$FILEVERSION=|\*{3}BUSMASTER Ver",
        "a log of CAN messages (candump, PCAN or BUSMASTER)",
        _CONVERT,
    ),
    ForeignFormat(
        rb"\0\0\0(\x02\0\0|\x07\0\0\0\x34|\x48\0\0|\x68\0\0\0\x3c|\x69\0\0|\x6e\0\0)",
        "a unified2 log (Snort, Suricata)",
        "convert it: u2boat IN OUT",
    ),
    ForeignFormat(
        rb"\xde\xad\x10\x80|\x80\x10\xad\xde|\xde\xad\x41\x37|\x37\x41\xad\xde",
        "a unified log (Snort)",
        "convert it: barnyard -o IN",
    ),
    # Compressed files and archives
    ForeignFormat(
        rb"\x1f\x9d", "a file compressed by compress (.Z)", "decompress it: gzip -dc FILE | cbpf filter -r -"
    ),
    ForeignFormat(
        rb"\x1f[\xa0\x1e]", "a file compressed by pack (.z)", "decompress it: gzip -dc FILE | cbpf filter -r -"
    ),
    ForeignFormat(rb"LZIP", "an lzip file", "decompress it: lzip -dc FILE | cbpf filter -r -"),
    ForeignFormat(rb"\x89LZO\0\r\n\x1a\n", "an lzop file", "decompress it: lzop -dc FILE | cbpf filter -r -"),
    ForeignFormat(
        rb"\xff\x06\0\0sNaPpY", "a snappy file", "decompress it: python -m snappy -d FILE - | cbpf filter -r -"
    ),
    ForeignFormat(rb"\x78[\x01\x5e\x9c\xda]", "a zlib stream", "decompress it: pigz -dcz FILE | cbpf filter -r -"),
    ForeignFormat(
        rb"[\x1e\x22-\x27]\xb5\x2f\xfd",
        "a stream of zstd before version 1.0",
        "decompress it: zstd -dc FILE | cbpf filter -r -",
    ),
    ForeignFormat(
        rb"1MOyoQ|obLD1A|TTyyoQ|obI8TQ|Cg0NC|H4sI|KLUv/",
        "a text encoded in base64",
        "decode it: base64 -d FILE | cbpf filter -r -",
    ),
    ForeignFormat(
        rb"(?i:d4c3b2a1|a1b2c3d4|4d3cb2a1|a1b23c4d|0a0d0d0a|1f8b08|28b52ffd)[\da-fA-F]{6}",
        "a text in hexadecimal digits",
        "decode it: xxd -r -p FILE | cbpf filter -r -",
    ),
    ForeignFormat(rb"0{8}: ([\da-fA-F]{2} ?){8}", "a hexdump of xxd", "decode it: xxd -r FILE | cbpf filter -r -"),
    ForeignFormat(
        rb"begin(-base64)? [0-7]{3,4} ", "a uuencoded text", "decode it: uudecode -o - FILE | cbpf filter -r -"
    ),
    ForeignFormat(
        rb"-----BEGIN PGP MESSAGE|\x8c\x0d\x04|Salted__|age-encryption\.org/",
        "an encrypted file (gpg, openssl or age)",
        "decrypt it first",
    ),
    ForeignFormat(rb"PK\x03\x04|PK\x05\x06|PK\x07\x08", "a zip archive", _extract("unzip -p FILE")),
    ForeignFormat(rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _extract("7z x -so FILE")),
    ForeignFormat(rb"Rar!\x1a\x07", "a rar archive", _extract("unrar p -inul FILE")),
    ForeignFormat(  # the magic number, or before POSIX three octal numbers after a name of 100 bytes
        rb".{257}ustar|.{100}([0-7 ]{5}[0-7][0-7 \0][ \0]){3}", "a tar archive", _extract("tar -xOf FILE")
    ),
    ForeignFormat(rb"MSWIM\0\0\0", "a WIM archive", _extract("7z x -so FILE")),
    ForeignFormat(rb"07070[127][0-7]|\xc7\x71|\x71\xc7", "a cpio archive", _extract("cpio -i --to-stdout < FILE")),
    ForeignFormat(rb"!<arch>\n", "an ar archive", _extract("ar p FILE")),
    ForeignFormat(rb"MSCF\0\0\0\0", "a cabinet archive", _extract("cabextract -p FILE")),
    # Captures damaged by a transfer
    ForeignFormat(
        rb"\r\n\r\r\r\n|\n\r\n",
        "a pcapng capture whose line ends were converted",
        "transfer the original in binary mode",
    ),
    ForeignFormat(
        rb"\xc3\x94\xc3\x83\xc2\xb2|\xc2\xa1\xc2\xb2\xc3\x83|\xef\xbf\xbd\xc3\xb2\xef\xbf\xbd|(\xef\xbf\xbd){4}",
        "a pcap capture that was converted to UTF-8",
        "transfer the original in binary mode",
    ),
    ForeignFormat(
        rb"\xff\xfe|\xfe\xff",
        "a text in UTF-16, perhaps the output of a program that PowerShell redirected",
        "record packets with tcpdump -w FILE",
    ),
    # Files that contain no capture
    ForeignFormat(
        rb"\s*(?i:<!doctype\s+html|<html|<head)", "an HTML page, perhaps of a failed download", _NOT_A_CAPTURE
    ),
    ForeignFormat(rb"version https://git-lfs", "a pointer of Git LFS", "get the file: git lfs pull"),
    ForeignFormat(rb"(\xef\xbb\xbf)?\s*<\?xml", "an XML text", _NOT_A_CAPTURE),
    ForeignFormat(
        rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[\s*[\[{\"\]])",
        "a JSON text",
        _NOT_A_CAPTURE,
    ),
    ForeignFormat(
        rb"\s*(0x)?[0-9a-fA-F]{4,16}:? {1,3}( ?[0-9a-fA-F]{2}| ?[0-9a-fA-F]{4}){4}|([0-9a-fA-F]{2}[ :]){8}",
        "a hexdump",
        "convert it: text2pcap IN OUT if it is of packets",
    ),
    ForeignFormat(rb"\d\d:\d\d:\d\d\.\d{6} ", "the text that tcpdump prints", "record packets with tcpdump -w FILE"),
    ForeignFormat(rb'"No\."|No\. +Time ', "a list of packets that Wireshark exported", _NOT_A_CAPTURE),
    ForeignFormat(rb"\x7fELF", "an ELF file, a program or library", _NOT_A_CAPTURE),
    ForeignFormat(
        rb"\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe",
        "a Mach-O file or a Java class",
        _NOT_A_CAPTURE,
    ),
    ForeignFormat(rb"MZ.{22}", "a Windows program", _NOT_A_CAPTURE),
    ForeignFormat(rb"%PDF-", "a PDF document", _NOT_A_CAPTURE),
    ForeignFormat(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a", "a picture", _NOT_A_CAPTURE),
    ForeignFormat(rb"SQLite format 3\0", "an SQLite database", _NOT_A_CAPTURE),
    # Files without a magic number, by their names
    ForeignFormat(rb"", "an event trace (ETL, Microsoft)", "convert it: etl2pcapng IN OUT", suffix=".etl"),
    ForeignFormat(rb"", "an ERF capture (Endace)", _CONVERT, suffix=".erf"),
    # ERF without that name: a time of 1995 to 2037, a type, few flags, a record length, and a wire length
    ForeignFormat(
        rb".{7}[\x30-\x7f][\x01-\x30\x81-\xb0][\0-\x7f][\0-\x3f]...[\0-\x3f].",
        "unknown, perhaps an ERF capture (Endace)",
        _CONVERT,
    ),
)


def rejection(begin: bytes, source: Input) -> CaptureError:
    """Return the error for a source that begins with the bytes *begin*, which no capture format recognises."""
    fact = _compressed_twice(begin, source) or _foreign(begin + _more(begin, source), source.name)
    if fact is None and len(begin) < BEGIN_SIZE:
        fact = f"file too short: {len(begin)} bytes, but a pcap header has {BEGIN_SIZE}"
    elif fact is None:
        fact = f"byte 0: {begin[:4].hex(' ')} is not the magic number of a capture"
    return CaptureError(f"{source.name}: {fact}")


def _more(begin: bytes, source: Input) -> bytes:
    with suppress(CaptureError):
        return source.read(_SIZE - BEGIN_SIZE) if len(begin) == BEGIN_SIZE else b""
    return b""


def _compressed_twice(begin: bytes, source: Input) -> str | None:
    inner = compression_of(begin)
    if inner is None or source.tool is None:
        return None
    fact = f"a {inner.name} stream within a {source.compression} stream"
    return f"{fact}; decompress the outer one: {source.tool} FILE | cbpf filter -r -"


def _foreign(begin: bytes, name: str) -> str | None:
    for foreign in FOREIGN_FORMATS:
        if re.match(foreign.pattern, begin, re.DOTALL) and name.lower().endswith(foreign.suffix):
            return f"{foreign.name}, not pcap or pcapng; {foreign.remedy}"
    return None
