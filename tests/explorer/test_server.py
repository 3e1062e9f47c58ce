"""The server of `cbpf explore`: files for the page alone, on the loopback interface alone."""

import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urljoin
from zipfile import ZipFile

import pytest

import cbpf
from cbpf.explorer import emission, server_questions
from cbpf.explorer.core import core_archive
from cbpf.explorer.emission import EMISSIONS
from cbpf.explorer.page import Page
from cbpf.explorer.server import ExplorerServer
from support.command_line import TRAFFIC, CommandLine
from support.explorer_commands import get, link, start
from support.project import MISSING_LIBRARIES, is_installed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page without scripts."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "secret.txt").write_text("secret")
    return page


@pytest.fixture
def server(folder: Path) -> Iterator[ExplorerServer]:
    with ExplorerServer(Page(str(folder), {"proofs": True, "state": None}, TRAFFIC)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def request(
    server: ExplorerServer, path: str, body: Any = None, *, token: str | None = None, method: str = "", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    given = {"Origin": f"http://{server.address}", "Content-Type": "application/json"} if body is not None else {}
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    kind = method or ("GET" if body is None else "POST")
    sent = given | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(kind, f"/{server.token if token is None else token}/{path}", data, sent)
    response = connection.getresponse()
    result = response.status, response.headers, response.read()
    connection.close()
    return result


def test_the_page_is_served_with_a_strict_policy(server: ExplorerServer) -> None:
    status, headers, data = request(server, "")
    assert (status, data[:9]) == (200, b"<!doctype")
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_capture_and_the_core_are_files_of_the_page(server: ExplorerServer) -> None:
    assert request(server, "capture")[2] == Path(TRAFFIC).read_bytes()
    assert request(server, "cbpf.zip")[2] == core_archive()
    assert json.loads(request(server, "served.json")[2]) == {"proofs": True, "state": None}


@pytest.mark.parametrize("token", ["", "x", "%C3%A9"])
def test_nothing_is_served_without_the_token(server: ExplorerServer, token: str) -> None:
    assert request(server, "index.html", token=token)[0] == 404
    assert request(server, "proofs/dead", {"source": {"text": "tcp"}}, token=token)[0] == 404


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "%2e%2e/secret.txt", "/etc/passwd", "..%2fsecret.txt", "index.html/", "proofs/dead", "\\x"],
)
def test_only_files_of_the_page_are_served(server: ExplorerServer, path: str) -> None:
    assert request(server, path)[0] == 404


@pytest.mark.parametrize("host", ["example.com", "localhost", "127.0.0.1", "127.0.0.1:1"])
def test_a_foreign_name_of_this_host_is_rejected(server: ExplorerServer, host: str) -> None:
    assert request(server, "", Host=host)[0] == 403


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1"])
@pytest.mark.parametrize("path", ["proofs/dead", "emit/ebpf-xdp"])
def test_questions_of_other_sites_are_rejected(server: ExplorerServer, origin: str, path: str) -> None:
    assert request(server, path, {"source": {"text": "tcp"}}, Origin=origin)[0] == 403


def test_questions_need_their_type_and_a_known_name(server: ExplorerServer) -> None:
    question = {"source": {"text": "tcp"}}
    assert request(server, "proofs/dead", question, Content_Type="text/plain")[0] == 415
    assert request(server, "proofs/exec", question)[0] == 404
    assert request(server, "emit/object", question)[0] == 404
    assert request(server, "emit/..", question)[0] == 404
    assert request(server, "proofs/dead", b"{")[0] == 400
    assert request(server, "proofs/dead", b"[" * 100_000)[0] == 400
    assert request(server, "proofs/dead", b"7")[0] == 400
    assert request(server, "proofs/dead", question, Content_Length="99999999999")[0] == 413
    assert request(server, "proofs/dead", question, Content_Length="9" * 5_000)[0] == 413
    assert request(server, "proofs/dead", b"{}", method="PUT")[0] == 501


def _is_protected(headers: http.client.HTTPMessage) -> bool:
    policy = headers["Content-Security-Policy"] or ""
    has_policy = "default-src 'none'" in policy and "frame-ancestors" in policy
    return has_policy and headers["X-Content-Type-Options"] == "nosniff"


def test_rejected_methods_need_the_token_and_the_name_of_the_server(server: ExplorerServer) -> None:
    cases: list[tuple[int, dict[str, Any]]] = [(501, {}), (404, {"token": "x"}), (403, {"Host": "example.com"})]
    for status, options in cases:
        answer = request(server, "index.html", method="DELETE", **options)
        assert (answer[0], _is_protected(answer[1]), answer[2].count(b"\n")) == (status, True, 1)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET", 400),
        ("GET / HTTP/x", 400),
        ("GET / HTTP/9.0", 505),
        ("<b> <i> <u> <s>", 400),
        ("GET /" + "x" * 65_532 + " HTTP/1.1", 414),
        ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 200, 431),
        ("GET /", 403),
    ],
    ids=range(7),
)
def test_malformed_requests_have_the_same_protection(server: ExplorerServer, text: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=30) as connection:
        connection.sendall(f"{text}\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    assert (response.status, _is_protected(response.headers)) == (status, True)
    assert (body.count(b"\n"), b"<" in body, b"Python" in body) == (1, False, False)


def test_head_has_the_headers_of_get_and_no_body(server: ExplorerServer) -> None:
    (status, headers, body), full = request(server, "index.html", method="HEAD"), request(server, "index.html")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(full[2])))


def test_the_link_works_without_its_final_slash(server: ExplorerServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    connection.request("GET", f"/{server.token}?a")
    response = connection.getresponse()
    connection.close()
    assert (response.status, urljoin(f"{server.url[:-1]}?a", response.headers["Location"])) == (301, server.url)
    proxied = f"https://hub.example.org/user/ann/proxy/9/{server.token}"
    assert urljoin(proxied, response.headers["Location"]) == f"{proxied}/"


def test_a_programming_error_is_answered_and_printed(
    server: ExplorerServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(server_questions.SERVER_QUESTIONS["proofs"], "dead", lambda request: {"value": 1 // 0})
    status, headers, body = request(server, "proofs/dead", {"source": {"text": "arp"}})
    assert (status, _is_protected(headers), body.count(b"\n")) == (500, True, 1)
    assert b"ZeroDivisionError" in body
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert request(server, "")[0] == 200


def test_a_closed_connection_prints_nothing(server: ExplorerServer, capfd: pytest.CaptureFixture[str]) -> None:
    for error in (BrokenPipeError(), ConnectionResetError(), TimeoutError()):
        try:
            raise error
        except OSError:
            server.handle_error(None, ("127.0.0.1", 1))
    assert capfd.readouterr().err == ""


def test_a_question_that_was_given_up_before_its_turn_is_not_answered(
    server: ExplorerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[object] = []

    def answer(folder: str, question: str, request: object) -> dict[str, Any]:
        answered.append(request)
        return {}

    monkeypatch.setattr("cbpf.explorer.server.answer", answer)
    body = json.dumps({"number": 1}).encode()
    path = f"/{server.token}/proofs/dead"
    headers = {"Origin": f"http://{server.address}", "Content-Type": "application/json"}
    threads = threading.active_count()
    with server.locks["proofs"]:
        connection = http.client.HTTPConnection(server.address)
        connection.request("POST", path, body, headers)
        connection.close()
        while threading.active_count() == threads:  # until the question waits
            time.sleep(0.01)
    while threading.active_count() > threads:
        time.sleep(0.01)
    assert answered == []
    assert request(server, "proofs/dead", {"number": 2})[0] == 200
    assert answered == [{"number": 2}]


def test_the_server_listens_on_the_loopback_interface_only(server: ExplorerServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.socket.family == socket.AF_INET


needs_solver = pytest.mark.skipif("bitwuzla" in MISSING_LIBRARIES, reason="bitwuzla is not installed")


@needs_solver
def test_a_difference_is_a_packet_that_one_program_accepts(server: ExplorerServer) -> None:
    question = {"source": {"text": "tcp port 80"}, "other": {"text": "tcp dst port 80"}}
    answer = json.loads(request(server, "proofs/difference", question)[2])
    packet = bytes.fromhex(answer["difference"]["packet"])
    assert answer["answer"] == "different"
    assert [bool(cbpf.VM(text).run(packet)) for text in ("tcp port 80", "tcp dst port 80")] == [True, False]


@needs_solver
def test_proofs_answer_for_all_packets(server: ExplorerServer) -> None:
    equal = {"source": {"text": "tcp or udp"}, "other": {"text": "udp or tcp"}}
    answer = json.loads(request(server, "proofs/difference", equal)[2])
    assert (answer["answer"], answer["difference"]) == ("equal", None)
    program = {"source": {"text": "ldh [12]\njeq #1, one, two\none: jeq #2, two, two\ntwo: ret #0", "optimize": False}}
    dead = json.loads(request(server, "proofs/dead", program)[2])
    assert dead == {"instructions": [], "branches": [[2, True]]}
    assert json.loads(request(server, "proofs/witness", {**program, "verdict": "accept"})[2]) == {"witness": None}


@needs_solver
def test_findings_of_the_solver_have_a_packet(server: ExplorerServer) -> None:
    answer = json.loads(request(server, "proofs/lint", {"source": {"text": "not port 80 or 443"}})[2])
    assert any(finding["packet"] for finding in answer["findings"])


@needs_solver
def test_the_smallest_change_is_that_of_the_command(server: ExplorerServer, cli: CommandLine, tmp_path: Path) -> None:
    packet = bytes.fromhex("ffffffffffff 020000000001 0806".replace(" ", "")) + bytes(40)
    capture = tmp_path / "one.pcap"
    cbpf.write_capture(str(capture), [packet])
    question = {"source": {"text": "ip host 192.0.2.1"}, "packet": {"hex": packet.hex()}}
    answer = json.loads(request(server, "proofs/why", question)[2])
    command = json.loads(cli("why", "--json", "-r", str(capture), "ip host 192.0.2.1").stdout)
    assert answer == command
    assert len(answer["change"]["changes"]) > 1


needs_llvm = pytest.mark.skipif("llvmlite" in MISSING_LIBRARIES, reason="llvmlite is not installed")


@needs_llvm
@pytest.mark.parametrize("target", EMISSIONS)
def test_ebpf_is_the_assembly_of_the_command(server: ExplorerServer, cli: CommandLine, target: str) -> None:
    question = {"source": {"text": "tcp port 443 or arp", "dialect": "linux"}}
    answer = json.loads(request(server, f"emit/{target}", question)[2])
    options = ("--target", target, "--assembly", "--dialect", "linux")
    assert answer == {
        "text": cli("emit", "-e", "tcp port 443 or arp", *options).stdout.decode(),
        "message": "",
    }
    assert "exit" in answer["text"]


@needs_llvm
def test_programs_that_a_target_cannot_execute_are_a_message(server: ExplorerServer) -> None:
    question = {"source": {"text": "ld #hatype\nret a", "dialect": "linux"}}
    answer = json.loads(request(server, "emit/ebpf-xdp", question)[2])
    assert (answer["text"], "\n" in answer["message"]) == ("", False)
    assert "hatype" in answer["message"]
    long = {"source": {"text": "ld [0]\n" * 5_000 + "ret a", "optimize": False}}
    assert "5,001 instructions" in json.loads(request(server, "emit/ebpf-xdp", long)[2])["message"]


def test_a_compiler_that_dies_or_hangs_does_not_end_the_server(
    server: ExplorerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = {"source": {"text": "arp"}}
    for command, message in (("kill -6 $$", "ended without a message"), ("exec sleep 60", "within 1 seconds")):
        monkeypatch.setattr(emission, "_TIMEOUT", 1.0)
        monkeypatch.setattr(emission, "_command", lambda target, dialect, command=command: ["sh", "-c", command])
        answer = json.loads(request(server, "emit/ebpf-tc", question)[2])
        assert message in answer["message"]
    assert request(server, "")[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is a system call of Linux")
def test_the_compiler_has_a_limit_that_does_not_need_the_server(
    server: ExplorerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sh", "-c", "cat > /dev/null; ulimit -S -t; ulimit -H -t"]
    monkeypatch.setattr(emission, "_command", lambda target, dialect: command)
    answer = json.loads(request(server, "emit/ebpf-tc", {"source": {"text": "arp"}})[2])
    assert answer == {"text": "20\n20\n", "message": ""}


@needs_llvm
def test_the_compiler_imports_nothing_from_the_current_folder(
    server: ExplorerServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("cbpf", "llvmlite", "subprocess"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the module {name} of the current folder')")
    monkeypatch.chdir(tmp_path)
    answer = json.loads(request(server, "emit/ebpf-tc", {"source": {"text": "arp"}})[2])
    assert (answer["message"], "exit" in answer["text"]) == ("", True)


def test_errors_of_questions_are_one_line(server: ExplorerServer) -> None:
    answer = json.loads(request(server, "proofs/dead", {"source": {"text": "tcp prot 80"}})[2])
    assert answer == {"error": "the source has errors"}


def test_the_core_runs_without_the_command_line(tmp_path: Path) -> None:
    with ZipFile(io.BytesIO(core_archive())) as archive:
        archive.extractall(tmp_path)
    code = (
        "import cbpf; from cbpf.explorer.answers import Answers;"
        " print(cbpf.__file__, Answers().answer('check', '{\"source\": {}}'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path))
    assert '"problems": []' in done.stdout
    assert not (tmp_path / "cbpf" / "cli").exists()


def test_the_command_serves_until_it_is_interrupted(folder: Path) -> None:
    process = start("explore", "-e", "tcp port 443", "-y", "RAW", "-r", TRAFFIC, folder=folder)
    facts = json.loads(get(f"{link(process)}served.json")[2])
    assert facts["state"] == {"s": "tcp port 443", "y": "RAW"}
    assert (facts["capture"], facts["proofs"]) == ("traffic.pcap", is_installed("bitwuzla"))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in errors) == (0, False)


def test_the_options_of_the_command_are_the_settings_of_the_page(folder: Path) -> None:
    options = ["--live", "-s", "96", "--netmask", "255.255.255.0", "--goal", "speed", "-O", "-e", "vlan"]
    process = start("explore", *options, folder=folder)
    state = json.loads(get(f"{link(process)}served.json")[2])["state"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert state == {"s": "vlan", "d": "linux", "O": 0, "S": 96, "m": "255.255.255.0", "g": "speed", "L": 1}


@pytest.mark.parametrize("options", ["--netmask x", "-s -1", "--live --dialect pcap", "-y NONE"])
def test_invalid_settings_are_errors_of_their_option(cli: CommandLine, options: str) -> None:
    done = cli("explore", "--no-browser", *options.split())
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert options.split()[0].strip("-") in done.stderr


def test_a_program_is_shown_as_its_text_and_a_binary_one_as_assembly(folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "filter.raw"
    program.write_bytes(bytes(cbpf.compile("arp")))
    process = start("explore", str(program), folder=folder)
    assert json.loads(get(f"{link(process)}served.json")[2])["state"]["s"] == cbpf.render(cbpf.compile("arp"), "asm")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.mark.skipif(is_installed("cbpf_explorer"), reason="cbpf-explorer is installed")
def test_the_command_says_how_to_install_the_page(cli: CommandLine) -> None:
    done = cli("explore", "--no-browser")
    assert done.exit_code == 2
    assert done.stderr == (
        "cbpf: the page is in a distribution of its own; install it: pip install 'cbpf-explorer==0.1.0'\n"
    )


def test_usage_errors_come_before_the_server(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("explore", "-e", "tcp", "x.c").exit_code == 2
    missing = cli("explore", "--no-browser", "-r", str(tmp_path / "none.pcap"))
    assert (missing.exit_code, "none.pcap" in missing.stderr) == (2, True)
    assert "standard input" in cli("explore", "-r", "-").stderr
