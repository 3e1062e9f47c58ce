"""cbpf archive: the subcommands for captures in stores of objects."""

from __future__ import annotations

from ...declarations import group


@group(
    "archive",
    "Index and filter captures in stores of objects.",
    sections={"The packets of many objects": ("index", "count", "filter", "split", "merge")},
    file_advice="cbpf archive index {} -w manifest indexes its objects",
    package=__name__,
)
def command() -> None:
    """Index and filter captures that are objects in a store, such as S3, by many processes or machines.

    SOURCE is a path or URL (s3://BUCKET/...): of an object; of a folder, for all objects below it; with a pattern
    (*, ?, [...], ** for any number of folders); the beginning of names; @ and the path of a list of these; or a
    manifest. Stores need their driver: pip install 'cbpf[archive]' s3fs.

    Exit code: 0 success, 2 error, also if an object is damaged or cannot be read.

    \b
      cbpf archive index '*.pcap' -w manifest
      cbpf archive count '*.pcap' -e arp --every 1m
      cbpf archive filter '*.pcap' -w out tcp port 443
    """
