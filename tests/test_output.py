"""The one writer of files: complete or not at all, with the attributes of the file that is replaced."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import struct
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

import cbpf
from cbpf import _output, _replacement
from support.command_line import TRAFFIC
from support.damaged_writes import NOBODY, Injection, unprivileged_folder, use_named_files

CAPABILITY = struct.pack("<IIIII", 0x0200_0001, 1 << 13, 0, 0, 0)  # CAP_NET_RAW, as setcap cap_net_raw+ep stores it
READABLE_BY_NOBODY = (
    struct.pack(  # an access control list: user::rw-, user:65534:r--, group::---, mask::r--, other::---
        "<IHHIHHIHHIHHIHHI", 2, 1, 6, 2**32 - 1, 2, 4, NOBODY, 4, 0, 2**32 - 1, 16, 4, 2**32 - 1, 32, 0, 2**32 - 1
    )
)


@pytest.fixture(params=["unnamed", "named"])
def named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both kinds of temporary files."""
    if request.param == "named":
        use_named_files(monkeypatch)
    return str(request.param)


def fail_with(number: int) -> Callable[..., NoReturn]:
    def fail(*arguments: Any, **options: Any) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("named")
def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        cbpf.write_file(tmp_path / "out", b"new")
    finally:
        os.umask(previous)
    assert contents(tmp_path) == {"out": b"new"}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


@pytest.mark.usefixtures("named")
def test_a_replaced_file_keeps_its_mode_but_no_privileges(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    target.chmod(0o6751)
    cbpf.write_file(target, b"new")
    assert contents(tmp_path) == {"out": b"new"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o751


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.usefixtures("named")
def test_a_replaced_file_keeps_owner_and_group(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    os.chown(target, 1234, 5678)
    cbpf.write_file(target, b"new")
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 5678)


def set_attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"{name} cannot be set here: {error.strerror}")


@pytest.mark.usefixtures("named")
def test_a_replaced_file_keeps_its_extended_attributes(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    set_attribute(target, "user.origin", b"eth0")
    set_attribute(target, "system.posix_acl_access", READABLE_BY_NOBODY)
    mode = target.stat().st_mode
    cbpf.write_file(target, b"new")
    assert os.getxattr(target, "user.origin") == b"eth0"
    assert os.getxattr(target, "system.posix_acl_access") == READABLE_BY_NOBODY
    assert target.stat().st_mode == mode


def test_file_capabilities_are_not_given_to_other_content(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    set_attribute(target, "security.capability", CAPABILITY)
    cbpf.write_file(target, b"new")
    assert "security.capability" not in os.listxattr(target)


def test_a_replaced_file_does_not_inherit_the_list_of_its_folder(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    set_attribute(tmp_path, "system.posix_acl_default", READABLE_BY_NOBODY)
    cbpf.write_file(target, b"new")
    cbpf.write_file(tmp_path / "other", b"new")
    assert "system.posix_acl_access" not in os.listxattr(target)
    assert "system.posix_acl_access" in os.listxattr(tmp_path / "other")


def test_permissions_of_a_group_that_is_not_kept_are_those_of_others() -> None:
    with unprivileged_folder() as folder:
        target = folder / "out"
        target.write_bytes(b"old")
        os.seteuid(0)
        os.chown(target, NOBODY, 5678)
        os.chmod(target, 0o664)
        os.seteuid(NOBODY)
        cbpf.write_file(target, b"new")
        status = target.stat()
        assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, 0o644)


@pytest.mark.usefixtures("named")
def test_a_target_that_may_not_be_written_is_not_replaced() -> None:
    with unprivileged_folder() as folder:
        target = folder / "out"
        target.write_bytes(b"old")
        target.chmod(0o444)
        with pytest.raises(PermissionError) as error:
            cbpf.write_file(target, b"new")
        assert error.value.filename == str(target)
        with pytest.raises(cbpf.CaptureError, match=r"out: Permission denied$"):
            cbpf.write_capture(target, [])
        assert contents(folder) == {"out": b"old"}


@pytest.mark.usefixtures("named")
def test_a_folder_that_may_not_be_written_is_reported_before_the_work() -> None:
    with unprivileged_folder() as folder:
        target = folder / "out"
        target.write_bytes(b"old")
        folder.chmod(0o555)
        with pytest.raises(PermissionError, match="to replace it by a file in its folder"):
            _output.OutputFiles().open(target)
        assert contents(folder) == {"out": b"old"}
        folder.chmod(0o755)


def test_a_file_of_another_user_in_a_sticky_folder_is_reported_before_the_work() -> None:
    with unprivileged_folder() as folder:
        target = folder / "out"
        target.write_bytes(b"old")
        target.chmod(0o666)
        folder.chmod(0o1777)
        os.seteuid(0)
        os.chown(folder, 1234, 1234)
        os.chown(target, 1234, 1234)
        os.seteuid(NOBODY)
        with pytest.raises(PermissionError, match="to replace it by a file in its folder"):
            _output.OutputFiles().open(target)
        assert contents(folder) == {"out": b"old"}


@pytest.mark.usefixtures("named")
def test_links_are_followed_and_hard_links_keep_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link, other = tmp_path / "folder" / "out", tmp_path / "link", tmp_path / "other"
    link.symlink_to("folder/out")
    cbpf.write_file(link, b"first")  # a dangling link
    os.link(target, other)
    cbpf.write_file(link, b"second")
    assert link.is_symlink()
    assert (target.read_bytes(), other.read_bytes()) == (b"second", b"first")
    assert contents(tmp_path / "folder") == {"out": b"second"}


PLACES: list[tuple[Callable[[Path], Any], int]] = [
    (lambda folder: folder, errno.EISDIR),
    (lambda folder: f"{folder}/new/", errno.EISDIR),
    (lambda folder: f"{folder}/missing/new", errno.ENOENT),
    (lambda folder: f"{folder}/out/new", errno.ENOTDIR),
    (lambda folder: f"{folder}/loop", errno.ELOOP),
    (lambda folder: f"{folder}/{'n' * 256}", errno.ENAMETOOLONG),
    (lambda folder: f"{folder}/socket", errno.ENXIO),
    (lambda folder: f"{folder}/a\0b", errno.EINVAL),
    (lambda folder: f"{folder}/\ud800", errno.EINVAL),
    (lambda folder: "/proc/self/fd/987654", errno.EBADF),
]


@pytest.mark.parametrize(("place", "number"), PLACES)
def test_errors_have_the_name_of_the_target(
    place: Callable[[Path], Any], number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").write_bytes(b"old")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)  # the name of a socket has a maximum length
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(OSError, match=r".") as error:
            cbpf.write_file(place(tmp_path), b"new")
    assert (error.value.errno, error.value.filename) == (number, str(place(tmp_path)))
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "out").read_bytes() == b"old"


@pytest.mark.usefixtures("named")
def test_names_of_any_length(tmp_path: Path) -> None:
    name = "n" * 255
    for data in (b"first", b"second"):
        cbpf.write_file(tmp_path / name, data)
        assert contents(tmp_path) == {name: data}


def test_a_removed_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "removed").mkdir()
    monkeypatch.chdir(tmp_path / "removed")
    (tmp_path / "removed").rmdir()
    cbpf.filter_capture(TRAFFIC, str(tmp_path / "out"), "arp")
    with pytest.raises(cbpf.CaptureError, match=r"^out: No such file or directory$"):
        cbpf.filter_capture(TRAFFIC, "out", "arp")
    assert set(contents(tmp_path)) == {"out"}


def test_pipes_and_descriptors_are_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    cbpf.write_file(pipe, b"data")
    reader.join()
    assert received == [b"data"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with (tmp_path / "log").open("ab", buffering=0) as log:
        (tmp_path / "descriptor").symlink_to(f"/dev/fd/{log.fileno()}")
        for name in (f"/dev/fd/{log.fileno()}", f"/proc/self/fd/{log.fileno()}", tmp_path / "descriptor"):
            cbpf.write_file(name, b"line\n")
    assert (tmp_path / "log").read_bytes() == b"line\n" * 3


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = bytes(1 << 18)
    received: list[bytes] = []

    def read() -> None:
        while len(b"".join(received)) < len(data):
            received.append(os.read(reader, 1 << 16))

    thread = threading.Thread(target=read)
    thread.start()
    cbpf.write_file(f"/dev/fd/{writer}", data)
    thread.join()
    assert b"".join(received) == data
    os.close(reader)
    os.close(writer)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("report_late_errors", errno.EDQUOT),
        ("fsync", errno.EIO),
        ("write", errno.ENOSPC),
        ("replace", errno.EBUSY),
        ("setxattr", errno.ENOSPC),
    ],
)
def test_an_error_leaves_the_old_file(name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    set_attribute(target, "user.origin", b"eth0")
    place: Any = _replacement if name == "report_late_errors" else os
    monkeypatch.setattr(place, name, fail_with(number))
    with pytest.raises(OSError, match=os.strerror(number)) as error:
        cbpf.write_file(target, b"new")
    assert (error.value.errno, error.value.filename) == (number, str(target))
    assert contents(tmp_path) == {"out": b"old"}


def test_a_file_system_that_cannot_synchronise_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail_with(errno.EINVAL))
    cbpf.write_file(tmp_path / "out", b"new")
    assert contents(tmp_path) == {"out": b"new"}


def test_only_a_file_that_may_be_the_only_copy_is_synchronised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(Path(TRAFFIC).read_bytes())
    synchronised = Injection(monkeypatch, "fsync", 0, None)
    for _ in range(2):
        cbpf.filter_capture(source, target, "tcp")
    cbpf.write_file(tmp_path / "new", b"data")
    assert synchronised.calls == 0
    cbpf.filter_capture(source, source, "tcp")
    cbpf.write_file(tmp_path / "new", b"data")
    assert synchronised.calls == 2


ROUTES = {"tcp": "a", "udp": "b", "arp": "c"}
OLD = {"a": b"old a", "b": b"old b"}


def split(folder: Path) -> None:
    """Split the sample capture by programs: an expression could write files too, those of the cache of programs."""
    cbpf.split_capture(TRAFFIC, [(compiled(filter), folder / name) for filter, name in ROUTES.items()])


@cache
def compiled(expression: str) -> cbpf.Program:
    return cbpf.compile(expression)


@pytest.fixture
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a split that is not disturbed."""
    folder = tmp_path_factory.mktemp("expected")
    split(folder)
    return contents(folder)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_split_that_cannot_rename_a_file_restores_all(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, data in OLD.items():
        (tmp_path / name).write_bytes(data)
    injection = Injection(monkeypatch, "replace", number, fail_with(errno.EBUSY))
    with pytest.raises(cbpf.CaptureError, match=rf"/{'abc'[number - 1]}: Device or resource busy$"):
        split(tmp_path)
    assert injection.calls >= number
    assert contents(tmp_path) == OLD


@pytest.mark.skipif(not _replacement.UNNAMED_FLAG, reason="needs files without a name")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_split_that_cannot_name_a_file_changes_none(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, data in OLD.items():
        (tmp_path / name).write_bytes(data)
    Injection(monkeypatch, "link", number, fail_with(errno.ENOSPC))
    with pytest.raises(cbpf.CaptureError, match=rf"/{'abc'[number - 1]}: No space left on device$"):
        split(tmp_path)
    assert contents(tmp_path) == OLD


def test_files_that_cannot_be_restored_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_named_files(monkeypatch)
    for name, data in OLD.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(os, "link", fail_with(errno.EPERM))  # a file system without hard links
    Injection(monkeypatch, "replace", 2, fail_with(errno.EIO))
    with pytest.raises(cbpf.CaptureError, match=r"/b: Input/output error; already replaced: \S+/a$"):
        split(tmp_path)
    assert contents(tmp_path)["b"] == OLD["b"]
    assert set(contents(tmp_path)) == {"a", "b"}


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_files_are_renamed_is_deferred(
    signum: signal.Signals, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, bytes]
) -> None:
    class Ended(BaseException):
        pass

    def end(*arguments: object) -> NoReturn:
        raise Ended

    for name, data in OLD.items():
        (tmp_path / name).write_bytes(data)
    previous = signal.signal(signum, end)
    try:
        injection = Injection(monkeypatch, "replace", number, lambda: signal.raise_signal(signum))
        with pytest.raises(Ended):
            split(tmp_path)
    finally:
        signal.signal(signum, previous)
    assert injection.calls == 3
    assert contents(tmp_path) == expected


@pytest.mark.usefixtures("named")
def test_a_signal_before_the_renames_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in OLD.items():
        (tmp_path / name).write_bytes(data)
    Injection(monkeypatch, "dup", 2, lambda: signal.raise_signal(signal.SIGINT))  # the late errors of the second file
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            split(tmp_path)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert contents(tmp_path) == OLD


def test_an_input_that_is_written_to_directly_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    data = Path(TRAFFIC).read_bytes()
    path.write_bytes(data)
    with path.open("ab", buffering=0) as stream:
        for target in (stream, f"/dev/fd/{stream.fileno()}"):
            with pytest.raises(cbpf.CaptureError, match="is also an input"):
                cbpf.filter_capture(path, target, "")
    assert path.read_bytes() == data


@pytest.mark.parametrize("link", ["same", "symbolic", "hard"])
def test_an_input_is_replaced_through_any_of_its_names(link: str, tmp_path: Path) -> None:
    path, target = tmp_path / "in.pcap", tmp_path / "target"
    path.write_bytes(Path(TRAFFIC).read_bytes())
    cbpf.filter_capture(path, tmp_path / "expected", "arp")
    if link == "same":
        target = path
    elif link == "symbolic":
        target.symlink_to(path)
    else:
        os.link(path, target)
    cbpf.filter_capture(path, target, "arp")
    assert target.read_bytes() == (tmp_path / "expected").read_bytes()
    assert path.read_bytes() == (Path(TRAFFIC).read_bytes() if link == "hard" else target.read_bytes())
