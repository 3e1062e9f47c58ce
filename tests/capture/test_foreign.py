"""Files that are not captures: each is named in one line, with a remedy."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest

import cbpf
from cbpf.capture.foreign import FOREIGN_FORMATS
from support.captures import TRAFFIC, Variant, as_pcapng, encoded
from support.command_line import CommandLine
from support.sample_captures import PLAIN, RECORDS, Trickle

BIG_ENDIAN: Final = encoded(RECORDS, Variant(">"))
CONVERT: Final = "convert it: editcap -F pcap IN OUT"
CONVERT_ETHERNET: Final = "convert it: editcap -F pcap -T ether IN OUT if its packets are Ethernet"


def zip_archive() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("in.pcap", PLAIN)
    return file.getvalue()


def tar_archive(format: int) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        entry = tarfile.TarInfo("in.pcap")
        entry.size = len(PLAIN)
        archive.addfile(entry, BytesIO(PLAIN))
    return file.getvalue()


def old_tar_archive() -> bytes:
    """Return an archive of a tar before POSIX, without a magic number."""
    return tar_archive(tarfile.USTAR_FORMAT).replace(b"ustar\x0000", bytes(8))


ERF_RECORD: Final = struct.pack("<II", 0, 1_700_000_000) + struct.pack(">BBHHH", 2, 4, 80, 0, 60) + bytes(64)

# The first bytes of each file, a word of its name, and the remedy
FILES: Final[dict[str, tuple[bytes, str, str]]] = {
    "snoop": (b"snoop\0\0\0" + struct.pack(">II", 2, 4), "snoop", CONVERT),
    "btsnoop": (b"btsnoop\0" + struct.pack(">II", 1, 1002), "btsnoop", CONVERT),
    "netmon 1": (b"RTSS\x01\x01", "Network Monitor 1", CONVERT),
    "netmon 2": (b"GMBU\0\x02", "Network Monitor 2", CONVERT),
    "sniffer": (b"TRSNIFF data    \x1a", "Sniffer", CONVERT),
    "netxray": (b"XCP\x00002.001", "NetXRay", CONVERT),
    "iptrace": (b"iptrace 2.0", "iptrace", CONVERT_ETHERNET),
    "k12": (b"\0\0\x02\0\x12\x05\0\x10", "K12", CONVERT_ETHERNET),
    "k12 text": (b"+---------+---------------+----------+\r\n", "K12 text", CONVERT_ETHERNET),
    "5view": (b"\xaa\xaa\xaa\xaa\x20\0\0\0", "5View", CONVERT),
    "visual": (b"\x05VNF", "Visual Networks", CONVERT),
    "lanalyzer": (b"\x01\x10\x4c\0\x01\x05", "LANalyzer", CONVERT),
    "nettl": (b"TR\0\x64" + bytes(7) + b"\x80", "nettl", CONVERT_ETHERNET),
    "nettl 9": (b"\0\0\0\x01\0\0\0\0\0\x07\xd0\0", "nettl", CONVERT_ETHERNET),
    "blf": (b"LOGG\x90\0\0\0", "BLF", CONVERT),
    "peek": (b"\x7fver\0\0\0\x20", "Peek", CONVERT),
    "ixia": (struct.pack("<I", 0x1C0001AC), "Ixia", CONVERT),
    "ncf": (struct.pack("<HHBHBBBBB", 86, 86, 0, 2026, 11, 20, 17, 59, 47), "CommView", CONVERT_ETHERNET),
    "ncfx": (struct.pack("<IHBBBBB", 86, 2026, 11, 20, 17, 59, 47), "CommView", CONVERT_ETHERNET),
    "etherwatch": (b"ETHERWATCH  V1.0\n", "OpenVMS", CONVERT),
    "candump": (b"(1436509052.249713) vcan0 044#2A366C2BBA\n", "CAN messages", CONVERT),
    "unified2": (struct.pack(">II", 7, 52), "unified2", "u2boat IN OUT"),
    "in.etl": (b"\0\0\x01\0" + bytes(60), "ETL", "etl2pcapng IN OUT"),
    "in.ERF": (ERF_RECORD * 2, "an ERF capture", CONVERT),
    "unnamed erf": (ERF_RECORD * 2, "perhaps an ERF capture", CONVERT),
    "compress": (b"\x1f\x9d\x90\xd4\x86", "compress", "gzip -dc FILE | cbpf filter -r -"),
    "lzip": (b"LZIP\x01\x0c", "lzip", "lzip -dc FILE | cbpf filter -r -"),
    "zlib": (zlib.compress(PLAIN), "zlib", "pigz -dcz FILE | cbpf filter -r -"),
    "old zstd": (b"\x27\xb5\x2f\xfd\x24", "zstd before version 1.0", "zstd -dc FILE | cbpf filter -r -"),
    "base64": (base64.encodebytes(PLAIN), "base64", "base64 -d FILE | cbpf filter -r -"),
    "base64 of pcapng": (base64.b64encode(as_pcapng(RECORDS)), "base64", "base64 -d FILE | cbpf filter -r -"),
    "hex": (PLAIN.hex().encode(), "hexadecimal", "xxd -r -p FILE | cbpf filter -r -"),
    "hex of pcapng": (as_pcapng(RECORDS).hex().upper().encode(), "hexadecimal", "xxd -r -p FILE"),
    "uuencode": (b"begin 644 in.pcap\nMU,.R", "uuencoded", "uudecode -o - FILE | cbpf filter -r -"),
    "gpg": (b"-----BEGIN PGP MESSAGE-----\n", "encrypted", "decrypt it first"),
    "openssl": (b"Salted__" + bytes(range(100, 140)), "encrypted", "decrypt it first"),
    "ascii mode": (as_pcapng(RECORDS).replace(b"\n", b"\r\n"), "line ends were converted", "in binary mode"),
    "ascii mode back": (as_pcapng(RECORDS).replace(b"\r\n", b"\n"), "line ends were converted", "in binary mode"),
    "utf-8": (PLAIN.decode("latin-1").encode(), "converted to UTF-8", "in binary mode"),
    "utf-8 lossy": (PLAIN.decode("utf-8", "replace").encode(), "converted to UTF-8", "in binary mode"),
    "utf-8 lossy be": (BIG_ENDIAN.decode("utf-8", "replace").encode(), "converted to UTF-8", "in binary mode"),
    "utf-16": (PLAIN.decode("cp437").encode("utf-16"), "PowerShell", "tcpdump -w FILE"),
    "csv": (b'"No.","Time","Source"\n', "Wireshark exported", "give the capture itself"),
    "zip": (zip_archive(), "zip", "unzip -p FILE | cbpf filter -r -"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04", "7z", "7z x -so FILE | cbpf filter -r -"),
    "rar": (b"Rar!\x1a\x07\x01\0", "rar", "unrar p -inul FILE | cbpf filter -r -"),
    "tar": (tar_archive(tarfile.USTAR_FORMAT), "tar", "tar -xOf FILE | cbpf filter -r -"),
    "GNU tar": (tar_archive(tarfile.GNU_FORMAT), "tar", "tar -xOf FILE | cbpf filter -r -"),
    "old tar": (old_tar_archive(), "tar", "tar -xOf FILE | cbpf filter -r -"),
    "wim": (b"MSWIM\0\0\0\xd0", "WIM", "7z x -so FILE | cbpf filter -r -"),
    "tar.gz": (gzip.compress(tar_archive(tarfile.PAX_FORMAT)), "tar", "tar -xOf FILE | cbpf filter -r -"),
    "cpio": (b"070701000001A4", "cpio", "cpio -i --to-stdout < FILE | cbpf filter -r -"),
    "html": (b"\r\n<!doctype HTML>\n<html>", "HTML", "give the capture itself"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull"),
    "xml": (b'<?xml version="1.0"?>\n<pdml>', "XML", "give the capture itself"),
    "json": (json.dumps([{"_index": "packets"}], indent=2).encode(), "JSON", "give the capture itself"),
    "hexdump": (b"00000000  d4 c3 b2 a1 02 00 04 00\n", "hexdump", "text2pcap IN OUT"),
    "hexdump of packets": (b"0000   ff ff ff ff ff ff 00 01\n", "hexdump", "text2pcap IN OUT"),
    "tcpdump -x": (b"\t0x0000:  4500 0054 0000 4000\n", "hexdump", "text2pcap IN OUT"),
    "xxd": (b"00000000: d4c3 b2a1 0200 0400\n", "a hexdump of xxd", "xxd -r FILE | cbpf filter -r -"),
    "tcpdump": (b"12:34:56.789012 IP 10.0.0.1 > 10.0.0.2: ICMP", "tcpdump", "tcpdump -w FILE"),
    "elf": (b"\x7fELF\x02\x01\x01", "ELF", "give the capture itself"),
    "mach-o": (b"\xcf\xfa\xed\xfe", "Mach-O", "give the capture itself"),
    "pdf": (b"%PDF-1.7\n", "PDF", "give the capture itself"),
}


@pytest.mark.parametrize("name", FILES)
def test_foreign_files_are_named_with_a_remedy(name: str, tmp_path: Path, cli: CommandLine) -> None:
    data, fact, remedy = FILES[name]
    path = tmp_path / name
    path.write_bytes(data if name.endswith(".gz") else data.ljust(600, b"\0"))
    with pytest.raises(cbpf.CaptureError) as error:
        cbpf.read_capture(path)
    assert re.fullmatch(rf".*{name}: .*{fact}.*, not pcap or pcapng; .*{re.escape(remedy)}.*", str(error.value))
    assert "\n" not in str(error.value)
    if "." not in name:  # also in pieces, and without the padding
        for source in (Trickle(path.read_bytes()), BytesIO(data)):
            with pytest.raises(cbpf.CaptureError, match=re.escape(str(error.value).partition(": ")[2])):
                cbpf.read_capture(source)  # type: ignore[arg-type]


def test_foreign_files_are_one_line_of_the_command(tmp_path: Path, cli: CommandLine) -> None:
    path = tmp_path / "in.cap"
    path.write_bytes(FILES["snoop"][0])
    for command in (["filter", "-r", str(path)], ["info", str(path)], ["stats", "-e", "ip", "-r", str(path)]):
        done = cli(*command)
        assert done.exit_code == 2
        assert done.stderr == f"cbpf: {path}: a snoop capture (Solaris), not pcap or pcapng; {CONVERT}\n"


def test_a_guess_is_made_only_after_the_magic_numbers() -> None:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:  # the name of its entry looks like an ERF record
        archive.addfile(tarfile.TarInfo("traffic0-0000120260101.pcap"))
    with pytest.raises(cbpf.CaptureError, match="a tar archive"):
        cbpf.read_capture(BytesIO(file.getvalue()))


def test_every_row_of_the_table_is_a_pattern_with_a_name_and_a_remedy() -> None:
    for row in FOREIGN_FORMATS:
        assert re.compile(row.pattern, re.DOTALL)
        assert row.name
        assert row.remedy
        assert re.match(row.pattern, PLAIN, re.DOTALL) is None or row.suffix, "a pcap is no foreign file"


def test_other_bytes_are_shown() -> None:
    for data in (b"nope" * 9, b"\0" * 99, TRAFFIC.read_bytes()[1:]):
        with pytest.raises(cbpf.CaptureError, match=rf"byte 0: {data[:4].hex(' ')} is not the magic number"):
            cbpf.read_capture(BytesIO(data))


@pytest.mark.parametrize(
    ("tool", "command"),
    [
        ("7z", ["7z", "a", "-bd", "out", "in.pcap"]),
        ("zip", ["zip", "-q", "out", "in.pcap"]),
        ("compress", ["compress", "-f", "-c", "in.pcap"]),
        ("cpio", ["sh", "-c", "echo in.pcap | cpio -o"]),
        ("ar", ["ar", "rc", "out", "in.pcap"]),
        ("tar", ["tar", "cf", "out", "--format=v7", "in.pcap"]),
        ("xxd", ["xxd", "in.pcap"]),
    ],
)
def test_archives_of_the_tools_themselves_are_named(tool: str, command: list[str], tmp_path: Path) -> None:
    if not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    shutil.copy(TRAFFIC, tmp_path / "in.pcap")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    made = [path for path in tmp_path.iterdir() if path.stem == "out"]
    with pytest.raises(cbpf.CaptureError, match=f"{tool}.*cbpf filter -r -"):
        cbpf.read_capture(made[0] if made else io.BytesIO(done.stdout))
