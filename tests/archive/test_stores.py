"""The verbs of a store: lists by folder, patterns, whole writes, replaced objects."""

import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf.archive.attempts import ObjectReplaced
from cbpf.archive.locations import join
from cbpf.archive.pending import WHOLE_SIZE
from cbpf.archive.stores import Store, store
from support.archives import InterruptedWrite, write_and_fail

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")

NAMES = ["a.pcap", "b.pcap", "day-1/c.pcap", "day-1/host/d.pcap", "day-2/e.pcap", "day-2/notes.txt", "day-2/.hidden"]


@pytest.fixture
def archive(root: str) -> str:
    """The URL of a folder with the objects NAMES, each with its name as content."""
    for name in NAMES:
        Store().write(join(root, name), name.encode())
    return root


def _names(root: str, source: str) -> list[str]:
    return [listed.path.removeprefix(f"{root}/") for listed in Store().list(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ["a.pcap", "b.pcap", "day-1/c.pcap", "day-1/host/d.pcap", "day-2/e.pcap", "day-2/notes.txt"]),
        ("/", ["a.pcap", "b.pcap", "day-1/c.pcap", "day-1/host/d.pcap", "day-2/e.pcap", "day-2/notes.txt"]),
        ("/a.pcap", ["a.pcap"]),
        ("/day-2", ["day-2/e.pcap", "day-2/notes.txt"]),
        ("/day", ["day-1/c.pcap", "day-1/host/d.pcap", "day-2/e.pcap", "day-2/notes.txt"]),
        ("/day-2/no", ["day-2/notes.txt"]),
        ("/*.pcap", ["a.pcap", "b.pcap"]),
        ("/*/*.pcap", ["day-1/c.pcap", "day-2/e.pcap"]),
        ("/**/*.pcap", ["a.pcap", "b.pcap", "day-1/c.pcap", "day-1/host/d.pcap", "day-2/e.pcap"]),
        ("/**/host/*", ["day-1/host/d.pcap"]),
        ("/day-[2-9]/*", ["day-2/e.pcap", "day-2/notes.txt"]),
        ("/day-?/**", ["day-1/c.pcap", "day-1/host/d.pcap", "day-2/e.pcap", "day-2/notes.txt"]),
        ("/day-2/.*", ["day-2/.hidden"]),
    ],
)
def test_a_source_names_objects(archive: str, source: str, expected: list[str]) -> None:
    assert _names(archive, archive + source) == expected


def test_a_list_names_sources(archive: str) -> None:
    text = f"# the first day\n{archive}/day-1/c.pcap\n\n{archive}/*.pcap\n{archive}/a.pcap\n"
    Store().write(join(archive, "list.txt"), text.encode())
    assert _names(archive, f"@{archive}/list.txt") == ["day-1/c.pcap", "a.pcap", "b.pcap"]


def test_an_empty_list_is_one_line(archive: str) -> None:
    Store().write(join(archive, "list.txt"), b"# nothing\n\n")
    with pytest.raises(cbpf.ArchiveError, match=r"/list\.txt: the list names no object$"):
        list(Store().list(f"@{archive}/list.txt"))


@pytest.mark.parametrize("source", ["/c*", "/day-3", "/a.pcap/x", "/*/*/*/*"])
def test_a_source_without_objects_is_one_line(archive: str, source: str) -> None:
    with pytest.raises(cbpf.ArchiveError, match=rf"^{re.escape(archive + source)}: no object [^\n]*$"):
        list(Store().list(archive + source))


def test_links_to_files_are_objects_and_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(b"1234")
    (tmp_path / "folder").mkdir()
    for name, target in [("folder/b.pcap", "../a.pcap"), ("folder/loop", ".."), ("folder/broken", "none")]:
        (tmp_path / name).symlink_to(target)
    os.mkfifo(tmp_path / "folder" / "pipe")
    (listed,) = Store().list(f"{tmp_path}/folder")
    assert (listed.path, listed.size) == (f"{tmp_path}/folder/b.pcap", 4)
    assert listed == Store().info(listed.path)
    (tmp_path / "a.pcap").write_bytes(b"5678")
    assert Store().info(listed.path).etag != listed.etag


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(cbpf.ArchiveError, match=rf"^{tmp_path}: the folder contains no object$"):
        list(Store().list(str(tmp_path)))


def test_an_object_has_a_size_and_a_version_that_changes(archive: str) -> None:
    path = join(archive, "a.pcap")
    before = Store().info(path)
    assert (before.path, before.size) == (path, 6)
    assert before == Store().info(path) == next(Store().list(path))
    Store().write(path, b"A.pcap")
    assert Store().info(path).etag != before.etag


def test_a_missing_object_is_one_line(archive: str) -> None:
    assert not Store().exists(join(archive, "x"))
    for call in (Store().info, Store().read):
        with pytest.raises(cbpf.ArchiveError, match=r"/x: does not exist$"):
            call(join(archive, "x"))
    with pytest.raises(cbpf.ArchiveError, match=r"/day-1: is a folder$"):
        Store().info(join(archive, "day-1"))


def test_names_lists_one_folder(archive: str) -> None:
    assert list(Store().names(f"{archive}/day-1/")) == [f"{archive}/day-1/c.pcap"]
    assert list(Store().names(f"{archive}/none")) == []


@pytest.mark.parametrize("size", [0, 1000, WHOLE_SIZE + 5])
def test_a_created_object_appears_at_the_end_of_the_block(root: str, size: int) -> None:
    path, data = join(root, "new/out.pcap"), bytes(range(256)) * (size // 256 + 1)
    with Store().create(path) as stream:
        for start in range(0, size, 1 << 20):
            stream.write(data[start : min(start + (1 << 20), size)])
        assert not Store().exists(path)
    assert Store().read(path) == data[:size]


@pytest.mark.parametrize("size", [1000, WHOLE_SIZE + 5])
def test_a_created_object_never_appears_after_an_error(root: str, size: int) -> None:
    path = join(root, "new/out.pcap")
    Store().write(path, b"old")
    with pytest.raises(InterruptedWrite), Store().create(path) as stream:
        write_and_fail(stream, size)
    assert Store().read(path) == b"old"
    assert [listed.path for listed in Store().list(f"{root}/new")] == [path]


def test_an_opened_object_is_a_source_of_captures(root: str, traffic: Path) -> None:
    path = join(root, "traffic.pcap")
    Store().write(path, traffic.read_bytes())
    with Store().open(Store().info(path)) as source:
        info = cbpf.capture_info(source)
    assert (info.totals.packets, info.name) == (905, path)


def test_a_large_object_is_read_in_blocks(root: str, traffic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbpf.archive.stores.MAX_WHOLE_SIZE", 1000)
    monkeypatch.setattr("cbpf.archive.stores._BLOCK_SIZE", 5000)
    path = join(root, "traffic.pcap")
    Store().write(path, traffic.read_bytes())
    with Store().open(Store().info(path)) as source:
        assert cbpf.capture_info(source).totals.packets == 905


def test_an_object_that_is_replaced_while_it_is_open_is_an_error(archive: str) -> None:
    path = join(archive, "a.pcap")
    with (
        pytest.raises(ObjectReplaced, match=r"a.pcap: was replaced while it was read$"),
        Store().open(Store().info(path)),
    ):
        Store().write(path, b"other")


def test_a_store_can_be_sent_and_does_not_show_its_secrets() -> None:
    value = store({"key": "user", "secret": "hunter2", "client_kwargs": {"region_name": "eu"}})
    assert pickle.loads(pickle.dumps(value)) == value
    assert repr(value) == "Store(key=..., secret=..., client_kwargs=...)"


@pytest.mark.parametrize("options", [["a=b"], {1: 2}])
def test_storage_options_are_a_mapping_of_names(options: Any) -> None:
    with pytest.raises(cbpf.FieldError, match=r"storage_options: expected a mapping of names to values"):
        store(options)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("memroy://x", "memroy://x: the protocol 'memroy' is unknown; did you mean 'memory'?"),
        ("zip://a.pcap::file:///x.zip", "is a chain of URLs"),
    ],
)
def test_an_unknown_protocol_is_one_line(path: str, message: str) -> None:
    with pytest.raises(cbpf.ArchiveError, match=re.escape(message)):
        list(Store().list(path))
