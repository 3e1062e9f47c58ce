"""`cbpf archive`: options, reports, exit codes, and errors in one line with nothing written."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cbpf
from cbpf.archive.listing import MARKER
from support.archives import START, capture
from support.command_line import run_here
from support.s3_servers import Bucket, moto_server

pytest.importorskip("fsspec", reason="archives need fsspec; ./dev test --all installs it")
pytest.importorskip("pyarrow", reason="manifests need pyarrow; ./dev test --all installs it")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two captures in the folder "in"."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.pcap").write_bytes(capture(START, 60))
    (tmp_path / "in" / "b.pcap").write_bytes(capture(START + 3600, 30))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _report(*arguments: str) -> dict[str, object]:
    done = run_here("archive", *arguments, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    report: dict[str, object] = json.loads(done.stdout)
    return report


@pytest.mark.usefixtures("folder")
def test_index_makes_a_manifest_and_brings_it_up_to_date() -> None:
    report = _report("index", "in", "-w", "manifest", "--batch", "1kB")
    assert (report["objects"], report["processed"], report["packets"]) == (2, 2, 90)
    report = _report("index", "in", "-w", "manifest")
    assert (report["processed"], report["unchanged"]) == (0, 2)


@pytest.mark.usefixtures("folder")
def test_index_by_processes() -> None:
    report = _report("index", "in", "-w", "manifest", "--workers", "2", "--batch", "1kB")
    assert (report["processed"], report["packets"]) == (2, 90)


@pytest.mark.usefixtures("folder")
def test_a_report_is_a_few_lines() -> None:
    done = run_here("archive", "index", "in", "-w", "manifest")
    assert done.exit_code == 0
    assert re.fullmatch(r"objects  2\nread     2 objects, [\d,]+ bytes\npackets  90\n", done.stdout.decode())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("source", ["in", "manifest"])
def test_count_prints_a_table(source: str) -> None:
    _report("index", "in", "-w", "manifest")
    done = run_here("archive", "count", source, "--every", "1h")
    assert (done.exit_code, done.stderr) == (0, "")
    table, report = done.stdout.decode().split("\n\nobjects", 1)
    assert table == str(cbpf.count_packets(["in/a.pcap", "in/b.pcap"], every="1h"))
    assert ("from earlier runs  2" in report) is (source == "manifest")


@pytest.mark.usefixtures("folder")
def test_count_prints_csv_as_cbpf_count_does() -> None:
    options = ("-e", "tcp", "-e", "udp", "--every", "1h", "--csv")
    expected = run_here("count", "-r", "in/a.pcap", "-r", "in/b.pcap", *options)
    done = run_here("archive", "count", "in", *options)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == expected.stdout
    assert done.stdout.count(b"\r\n") > 1
    for other in ("--json", "--dry-run"):
        assert run_here("archive", "count", "in", "--csv", other).exit_code == 2


@pytest.mark.usefixtures("folder")
def test_count_by_filters_in_a_period() -> None:
    _report("index", "in", "-w", "manifest")
    options = ("-e", "tcp", "-e", "udp", "--until", str(START + 600))
    report = _report("count", "manifest", *options)
    expected = cbpf.count_packets("in/a.pcap", "tcp", "udp")
    assert report["counts"] == expected.as_dict()
    assert (report["objects"], report["pruned"], report["processed"]) == (2, 1, 1)


@pytest.mark.usefixtures("folder")
def test_count_takes_an_expression_as_cbpf_count_does() -> None:
    _report("index", "in", "-w", "manifest")
    report = _report("count", "in", "tcp", "port", "80", "--hosts", "10.0.0.0/8")
    assert report["counts"]["rows"][0]["filter"] == "tcp port 80 with lists"  # type: ignore[index]
    assert _report("count", "manifest", "")["processed"] == 0
    assert run_here("archive", "count", "in", "-e", "tcp", "udp").exit_code == 2


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "+5m"), r"--since: is relative to the first packet of each object; .*"),
        (("--every", "x"), r"--every: 'x' is not a duration; .*"),
        (("--since", "10", "--until", "5"), r"--until: '5' is not later than since, '10', .*"),
    ],
)
def test_wrong_times_are_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = run_here("archive", "count", "in", *arguments)
    assert (done.exit_code, done.stdout) == (2, b"")
    assert re.fullmatch(rf"cbpf: {message}\n", done.stderr)


def test_problems_are_lines_on_standard_error(folder: Path) -> None:
    (folder / "in" / "notes.txt").write_text("no capture")
    (folder / "in" / "damaged.pcap").write_bytes(capture(START, 3)[:-1])
    done = run_here("archive", "index", "in", "-w", "manifest")
    assert done.exit_code == 2
    first, second = done.stderr.splitlines()
    assert re.fullmatch(r"cbpf: /.*/in/damaged\.pcap: packet 3\b.* \(damaged\)", first)
    assert re.fullmatch(r"cbpf: /.*/in/notes\.txt: file too short.* \(foreign\)", second)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none",), r"/.*/none: no object has this name, or begins with it"),
        (("in/*.gz",), r"/.*/in/\*\.gz: no object matches the pattern"),
        (("none/*",), r"/.*/none: does not exist"),
        (("@none",), r"/.*/none: does not exist"),
        (("s4://bucket",), r"s4://bucket: the protocol 's4' is unknown.*"),
        (("in", "--storage-option", "anon"), r"--storage-option: 'anon' is not KEY=VALUE; .*"),
        (("in", "--batch", "0"), r"--batch: '0' is not a size; .*"),
        (("in", "--batch", "1TB"), r"--batch: '1TB' is not a size; .*"),
        (("in", "--workers", "2", "--scheduler", "tcp://x:1"), r"--workers and --scheduler are mutually exclusive .*"),
        (("in", "--workers", "0"), r".*--workers.*"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(arguments: tuple[str, ...], message: str) -> None:
    done = run_here("archive", "index", *arguments, "-w", "manifest")
    assert (done.exit_code, done.stdout) == (2, b"")
    assert re.fullmatch(rf"cbpf: {message}\n", done.stderr)
    assert not Path("manifest").exists()


def test_a_manifest_of_another_version_is_one_line(folder: Path) -> None:
    (folder / "manifest").mkdir()
    (folder / "manifest" / MARKER).write_text('{"version": 2}')
    done = run_here("archive", "index", "in", "-w", "manifest")
    assert done.exit_code == 2
    assert re.fullmatch(r"cbpf: manifest: is a manifest of version 2, .* reads version 1; .*\n", done.stderr)
    assert [path.name for path in (folder / "manifest").iterdir()] == [MARKER]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("library", "source", "message"),
    [
        ("fsspec", "memory://in", r"archives need fsspec: pip install 'cbpf\[archive\]'"),
        ("pyarrow", "in", r"manifests of archives need pyarrow: pip install 'cbpf\[archive\]'"),
        ("s3fs", "s3://bucket", r"s3://bucket: the protocol 's3' needs s3fs: pip install s3fs"),
    ],
)
def test_a_library_that_is_not_installed_is_one_line(library: str, source: str, message: str) -> None:
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from cbpf.cli import main
sys.argv = ["cbpf", "archive", "index", {source!r}, "-w", "manifest"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"cbpf: {message}\n", done.stderr)
    assert not Path("manifest").exists()


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A bucket of a server in this process."""
    for endpoint in moto_server():
        yield Bucket.create(endpoint)


def test_storage_options_reach_the_store(bucket: Bucket) -> None:
    bucket.store.write(f"{bucket.url}/a.pcap", capture(START, 3))
    options = [f"--storage-option={name}={value}" for name, value in bucket.options.items()]
    report = _report("index", bucket.url, "-w", f"{bucket.url}/manifest", *options)
    assert (report["objects"], report["packets"]) == (1, 3)


@pytest.mark.usefixtures("folder")
def test_filter_writes_an_output_for_each_object_and_continues(folder: Path) -> None:
    report = _report("filter", "in", "-w", "out", "tcp")
    assert (report["processed"], report["outputs"]) == (2, 2)
    assert sorted(path.name for path in (folder / "out").iterdir() if path.is_file()) == ["a.pcap", "b.pcap"]
    expected = run_here("filter", "-r", "in/a.pcap", "-w", "expected.pcap", "-q", "tcp")
    assert expected.exit_code == 0
    assert (folder / "out" / "a.pcap").read_bytes() == (folder / "expected.pcap").read_bytes()
    assert _report("filter", "in", "-w", "out", "tcp")["unchanged"] == 2


@pytest.mark.usefixtures("folder")
def test_filter_passes_its_options(folder: Path) -> None:
    options = ["--invert", "--since", str(START), "--snaplen", "60", "--pcapng", "--compress", "gzip", "--seed", "1"]
    report = _report("filter", "in", "-w", "out", *options, "--sample", "1/2", "--batch", "1kB", "tcp")
    assert report["outputs"] == 2
    assert sorted(path.name for path in (folder / "out").iterdir() if path.is_file()) == ["a.pcapng.gz", "b.pcapng.gz"]


@pytest.mark.usefixtures("folder")
def test_split_writes_a_folder_for_each_expression(folder: Path) -> None:
    report = _report("split", "in", "-w", "out", "tcp=tcp", "arp=arp", "--rest", "other")
    assert report["outputs"] == 6
    assert sorted(path.name for path in (folder / "out").iterdir() if path.name != ".cbpf") == ["arp", "other", "tcp"]
    routes = report["routes"]
    assert isinstance(routes, dict)
    assert routes.keys() == {"tcp", "arp"}


@pytest.mark.usefixtures("folder")
def test_merge_writes_one_capture(folder: Path) -> None:
    report = _report("merge", "in", "-w", "merged.pcap")
    assert (report["outputs"], report["packets"]) == (1, 90)
    assert (folder / "merged.pcap").read_bytes() == capture(START, 60) + capture(START + 3600, 30)[24:]
    selected = _report(
        "merge", "in", "-w", "merged.pcap", "--since", str(START + 3610), "ip or ip6 or arp or ether[0] < 256"
    )
    assert selected["selected"] == 20


@pytest.mark.usefixtures("folder")
def test_an_unsorted_object_is_listed_by_merge_and_is_not_an_error(folder: Path) -> None:
    (folder / "in" / "c.pcap").write_bytes(capture(START + 9, 2) + capture(START, 2)[24:])
    done = run_here("archive", "merge", "in", "-w", "merged.pcap")
    assert done.exit_code == 0
    assert b"earlier than the one before" in done.stderr.encode() if isinstance(done.stderr, str) else done.stderr


@pytest.mark.parametrize("operation", ["filter", "split", "merge"])
@pytest.mark.usefixtures("folder")
def test_dry_runs_write_nothing(operation: str, folder: Path) -> None:
    report = _report(operation, "in", "-w", "out", "tcp=tcp" if operation == "split" else "tcp", "--dry-run")
    assert (report["processed"], report["dry_run"]) == (2, True)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("filter", "in", "-w", "out"), "an EXPRESSION, -F FILE or --program PROGRAM is required"),
        (("filter", "in", "-w", "out", "--program", "p", "tcp"), "cannot be combined"),
        (("filter", "in", "-w", "in/out", "tcp"), "inside of the source"),
        (("filter", "none*", "-w", "out", "tcp"), "no object matches"),
        (("filter", "in", "-w", "out", "--workers", "2", "--scheduler", "tcp://a:1", "tcp"), "mutually exclusive"),
        (("split", "in", "-w", "out", "tcp"), "expected EXPRESSION=FOLDER"),
        (("split", "in", "-w", "out", "tcp=a", "udp=a"), "the folder of two routes"),
        (("merge", "none*", "-w", "out.pcap"), "no object matches"),
        (("merge", "in", "-w", "-"), "-: standard input and output are not supported for archives"),
        (("filter", "in", "-w", "-", "tcp"), "-: standard input and output are not supported for archives"),
        (("count", "-"), "-: standard input and output are not supported for archives"),
        (("filter", "in", "-w", "in/a.pcap", "tcp"), "inside of the source"),
        (("filter", "in/a.pcap", "-w", "in/b.pcap", "tcp"), "/in/b.pcap: is a file; name a folder"),
        (("split", "in/a.pcap", "-w", "in/b.pcap", "tcp=tcp", "--dry-run"), "/in/b.pcap: is a file; name a folder"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_wrong_arguments_of_passes_are_one_line(arguments: tuple[str, ...], message: str, folder: Path) -> None:
    done = run_here("archive", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out").exists()
