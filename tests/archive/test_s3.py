"""A store of S3, by moto in this process: its verbs, its errors, and an index."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

import cbpf
from cbpf.archive.attempts import ObjectReplaced
from cbpf.archive.locations import join
from cbpf.archive.manifest import Manifest
from cbpf.archive.pending import WHOLE_SIZE
from cbpf.archive.stores import store
from support.archives import START, InterruptedWrite, capture, write_and_fail, write_objects
from support.s3_servers import Bucket

pytest.importorskip("s3fs", reason="S3 needs s3fs; ./dev test --all installs it")


@pytest.fixture
def closed_bucket(bucket: Bucket, s3_endpoint: str) -> Iterator[Bucket]:
    """A bucket that no credentials give access to."""

    def set_free_requests(count: bytes) -> None:
        urlopen(Request(f"{s3_endpoint}/moto-api/reset-auth", count, {"Content-Type": "text/plain"})).close()

    set_free_requests(b"0")
    yield bucket
    set_free_requests(b"inf")


def test_the_verbs_of_a_bucket(bucket: Bucket) -> None:
    write_objects(bucket.url, {"day-1/a": b"1", "day-1/b/c": b"22", "day-2/d": b"333", "e": b""}, bucket.store)
    paths = [f"{bucket.url}/{name}" for name in ("day-1/a", "day-1/b/c", "day-2/d", "e")]
    assert [listed.path for listed in bucket.store.list(bucket.url)] == paths
    assert [listed.path for listed in bucket.store.list(f"{bucket.url}/")] == paths
    assert [listed.path for listed in bucket.store.list(f"{bucket.url}/day-*/?")] == [paths[0], paths[2]]
    assert [listed.path for listed in bucket.store.list(f"{bucket.url}/day-1/b")] == [paths[1]]
    assert [listed.size for listed in bucket.store.list(f"{bucket.url}/day")] == [1, 2, 3]
    assert list(bucket.store.names(f"{bucket.url}/day-1")) == paths[:1]
    assert bucket.store.read(paths[2]) == b"333"
    assert bucket.store.exists(paths[3])
    bucket.store.remove(paths[3])
    assert not bucket.store.exists(paths[3])


def test_the_version_of_an_object_is_its_entity_tag(bucket: Bucket) -> None:
    path = join(bucket.url, "a")
    bucket.store.write(path, b"1")
    listed = bucket.store.info(path)
    assert listed == next(bucket.store.list(bucket.url))
    assert len(listed.etag) == 32
    with pytest.raises(ObjectReplaced), bucket.store.open(listed):
        bucket.store.write(path, b"2")


@pytest.mark.parametrize("size", [10, WHOLE_SIZE + 10])
def test_an_object_appears_completely_or_not_at_all(bucket: Bucket, size: int) -> None:
    path = join(bucket.url, "a")
    with bucket.store.create(path) as stream:
        stream.write(bytes(size))
        assert not bucket.store.exists(path)
    assert bucket.store.info(path).size == size
    with pytest.raises(InterruptedWrite), bucket.store.create(join(bucket.url, "b")) as stream:
        write_and_fail(stream, size)
    assert [listed.path for listed in bucket.store.list(bucket.url)] == [path]


def _list(source: str) -> Callable[[Bucket], object]:
    return lambda bucket: list(bucket.store.list(source.format(bucket=bucket.url)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (_list("s3://no-such-bucket"), r"s3://no-such-bucket: no such bucket"),
        (_list("s3://no-such-bucket/x"), r"s3://no-such-bucket[^:]*: no such bucket"),
        (_list("s3://no-such-bucket/*/x"), r"s3://no-such-bucket: no such bucket"),
        (_list("{bucket}/none"), r"s3://test-[0-9a-f]*/none: no object has this name, or begins with it"),
        (lambda bucket: bucket.store.write("s3://no-such-bucket/x", b""), r"s3://no-such-bucket/x: no such bucket"),
        (lambda bucket: bucket.store.read(f"{bucket.url}/x"), r"s3://test-[0-9a-f]*/x: does not exist"),
    ],
)
def test_a_missing_bucket_or_object_is_one_line(bucket: Bucket, call: Callable[[Bucket], object], message: str) -> None:
    with pytest.raises(cbpf.ArchiveError, match=rf"^{message}$"):
        call(bucket)


@pytest.mark.parametrize("call", [_list("{bucket}"), _list("{bucket}/*"), _list("{bucket}/x")])
def test_missing_rights_are_one_line(closed_bucket: Bucket, call: Callable[[Bucket], object]) -> None:
    with pytest.raises(cbpf.ArchiveError, match=r"^s3://test-[^\n]*: access is denied \([^\n]*$"):
        call(closed_bucket)


def test_missing_credentials_are_one_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    options = {"endpoint_url": bucket.options["endpoint_url"]}
    with pytest.raises(cbpf.ArchiveError, match=r"^s3://test-[^\n]*: no credentials for the store; [^\n]*$"):
        store(options).read(f"{bucket.url}/a")


def test_a_store_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbpf.archive.attempts.FIRST_PATIENCE", 0)
    options = {"key": "a", "secret": "b", "endpoint_url": "http://127.0.0.1:9"}
    with pytest.raises(cbpf.ArchiveError, match=r"^s3://bucket/a: the store does not answer \([^\n]*\)$"):
        store(options).read("s3://bucket/a")


def test_unknown_storage_options_are_one_line() -> None:
    with pytest.raises(cbpf.ArchiveError, match=r"^s3://bucket/a: [^\n]*unknown_option[^\n]*$"):
        store({"unknown_option": 1}).read("s3://bucket/a")


def test_a_bucket_is_indexed_into_itself(bucket: Bucket) -> None:
    pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")
    write_objects(bucket.url, {"in/a.pcap": capture(START, 3), "in/b.pcap": capture(START + 60, 4)}, bucket.store)
    for expected in (2, 0):
        report = cbpf.archive.index(bucket.url, f"{bucket.url}/manifest", storage_options=bucket.options)
        assert (report.objects, report.processed) == (2, expected)
    manifest = Manifest.open(bucket.store, f"{bucket.url}/manifest")
    assert [row.packets for row in manifest.rows()] == [3, 4]


def test_a_bucket_is_filtered_split_and_merged_as_files_are(bucket: Bucket, tmp_path: Path) -> None:
    objects = {name: (START + 60 * number, 5 + number) for number, name in enumerate(("in/a", "in/x/b", "in/x/c"))}
    captures = {f"{name}.pcap": capture(*arguments) for name, arguments in objects.items()}
    write_objects(bucket.url, captures, bucket.store)
    write_objects(str(tmp_path), captures)
    for root, options in ((bucket.url, bucket.options), (str(tmp_path), None)):
        for expected in (0, 3):
            report = cbpf.archive.filter(f"{root}/in", f"{root}/out", "tcp", storage_options=options)
            assert (report.unchanged, report.is_complete) == (expected, True)
        cbpf.archive.split(f"{root}/in", f"{root}/split", {"arp": "arp"}, rest="other", storage_options=options)
        cbpf.archive.merge(f"{root}/in", f"{root}/merged.pcap.gz", storage_options=options)
    paths = [path for path in tmp_path.rglob("*") if path.is_file() and ".cbpf" not in path.parts]
    assert len(paths) == 3 + 3 + 6 + 1
    for path in paths:
        assert bucket.store.read(f"{bucket.url}/{path.relative_to(tmp_path)}") == path.read_bytes()
