"""`explore`: the explorer page in a notebook, one server for all pages of a process, and outputs without a server."""

import http.client
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pytest

import cbpf
from cbpf.explorer.notebook import server as notebook_server
from support.command_line import TRAFFIC
from support.project import ROOT, is_installed

EXPRESSION: Final = "arp or icmp6"
PROXY: Final = "https://hub.example.org"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A page without scripts, in place of that of cbpf-explorer; at the end, no page is served."""
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    monkeypatch.setattr(notebook_server, "page_folder", lambda: str(tmp_path))
    monkeypatch.delenv("JUPYTERHUB_PUBLIC_URL", raising=False)
    yield tmp_path
    for token in [*notebook_server._tokens]:
        notebook_server.remove(token)


def _get(url: str, name: str = "", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Request a file of a page, through the loopback interface also if its link is that of a proxy."""
    parts = urlsplit(url)
    proxied = re.search(r"/proxy/(\d+)(/.*)", parts.path)
    port, path = (int(proxied[1]), proxied[2]) if proxied else (parts.port, parts.path)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path + name, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    result = response.status, response.headers, response.read()
    connection.close()
    return result


def _served(shown: cbpf.ExplorerPage) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_get(shown.url, "served.json")[2])
    return facts


def _opened(shown: cbpf.ExplorerPage) -> list[cbpf.Packet]:
    """Return the packets of the capture that a page opens."""
    return list(cbpf.read_capture(io.BytesIO(_get(shown.url, "capture")[2])))


# Programs and packets


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({}, {"s": EXPRESSION}),
        ({"link_type": "RAW"}, {"s": "ip", "y": "RAW"}),
        ({"link_type": 228}, {"s": "ip", "y": "IPV4"}),
        ({"dialect": cbpf.LINUX}, {"s": EXPRESSION, "d": "linux"}),
        ({"optimize": False}, {"s": EXPRESSION, "O": 0}),
        ({"snaplen": 96, "goal": "speed"}, {"s": EXPRESSION, "S": 96, "g": "speed"}),
        ({"netmask": "255.255.255.0"}, {"s": "ip broadcast", "m": "255.255.255.0"}),
        ({"live": True}, {"s": "vlan 5", "d": "linux", "L": 1}),
    ],
)
def test_the_page_begins_with_the_arguments(page: Path, options: dict[str, Any], state: dict[str, Any]) -> None:
    assert _served(cbpf.explore(state["s"], **options))["state"] == state


def test_instructions_are_shown_as_assembly(page: Path) -> None:
    program = cbpf.compile(EXPRESSION)
    for given in (program, list(program), iter(program)):
        assert cbpf.parse(_served(cbpf.explore(given))["state"]["s"]) == program


def test_expressions_that_the_page_cannot_read_are_shown_as_assembly(page: Path) -> None:
    listed = cbpf.Expression("arp", hosts=["192.0.2.1", "192.0.2.7"])
    for given in ("host localhost", listed):
        assert cbpf.parse(_served(cbpf.explore(given))["state"]["s"]) == cbpf.compile(given)


def _tables() -> list[Any]:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow; ./dev test --all installs it")
    table = cbpf.arrow.read_table(TRAFFIC)
    tables = [table, pyarrow.RecordBatchReader.from_stream(table)]
    if is_installed("polars"):
        tables.append(__import__("polars").from_arrow(table))
    return tables


def test_packets_of_a_table_are_shown(page: Path) -> None:
    for table in _tables():
        assert len(_opened(cbpf.explore(EXPRESSION, table))) == 905


def test_a_page_opens_the_file_of_a_path(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(TRAFFIC).parent)
    for path in (Path(TRAFFIC).name, Path(TRAFFIC)):
        shown = cbpf.explore(EXPRESSION, path)
        monkeypatch.chdir(tmp_path)
        assert _served(shown)["capture"] == Path(TRAFFIC).name
        assert _get(shown.url, "capture")[2] == Path(TRAFFIC).read_bytes()
        monkeypatch.chdir(Path(TRAFFIC).parent)


@pytest.mark.parametrize("kind", ["reader", "list", "iterator", "Packets"])
def test_packets_in_memory_are_shown(page: Path, kind: str) -> None:
    packets = list(cbpf.read_capture(TRAFFIC))
    given: dict[str, Any] = {
        "reader": cbpf.read_capture(TRAFFIC),
        "list": packets,
        "iterator": iter(packets),
        "Packets": cbpf.read_capture(TRAFFIC).packets(),
    }
    opened = _opened(cbpf.explore(EXPRESSION, given[kind]))
    assert [(packet.data, packet.wire_length) for packet in opened] == [
        (packet.data, packet.wire_length) for packet in packets
    ]
    if kind != "Packets":
        assert [packet.time_ns for packet in opened] == [packet.time_ns for packet in packets]


def test_the_link_type_is_that_of_the_packets(page: Path) -> None:
    file = io.BytesIO()
    cbpf.write_capture(file, [b"\x45" + bytes(39)], link_type="RAW")
    reader = cbpf.read_capture(io.BytesIO(file.getvalue()))
    shown = cbpf.explore("ip", reader)
    assert _served(shown)["state"]["y"] == "RAW"
    assert "accepts 1 of 1 packet" in shown._repr_html_()
    assert _served(cbpf.explore("ip", [b"\x45" + bytes(39)], link_type="RAW"))["state"]["y"] == "RAW"


def test_no_more_packets_are_read_than_the_page_lists(page: Path) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(60)

    shown = cbpf.explore(EXPRESSION, endless())
    assert "accepts 0 of the first 1,000 packets" in shown._repr_html_()
    assert len(_opened(shown)) == 1_001
    assert "the first 1,000 packets" in repr(shown)


@pytest.mark.parametrize("packet", [bytes(42), bytearray(42), cbpf.Packet(1, 0, 42, bytes(42))])
def test_one_packet_is_that_of_the_page(page: Path, packet: Any) -> None:
    shown = cbpf.explore(EXPRESSION, packet)
    facts = _served(shown)
    assert (facts["state"]["p"], facts["state"]["w"], facts["capture"]) == ("00" * 42, 42, None)
    assert "rejects the packet" in shown._repr_html_()


def test_a_capture_that_is_removed_remains_in_the_output(page: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.pcap"
    path.write_bytes(Path(TRAFFIC).read_bytes())
    shown = cbpf.explore(EXPRESSION, path)
    path.unlink()
    assert "accepts 72 of 905 packets" in shown._repr_mimebundle_()["text/html"]
    assert _get(shown.url, "capture")[::2] == (500, b"No such file or directory\n")


# Errors


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("tcp prot 80",), {}, cbpf.ExpressionError, "'prot' is not a keyword"),
        ((5,), {}, cbpf.FieldError, "neither a sequence of instructions nor an expression"),
        ((b"\x06",), {}, cbpf.FieldError, "expected instructions or an expression, got bytes"),
        (("arp",), {"dialect": cbpf.SECCOMP}, cbpf.VerificationError, "seccomp accepts 41 opcodes"),
        (("arp", 5), {}, cbpf.FieldError, "explore.packets: expected the path of a capture, packets, or a table"),
        (("arp", "none.pcap"), {}, cbpf.CaptureError, "none.pcap: No such file"),
        (("arp", __file__), {}, cbpf.CaptureError, "not the magic number of a capture"),
        (("arp", ["x"]), {}, cbpf.PacketError, "packet 1: expected a bytes-like object"),
        (("arp", TRAFFIC), {"link_type": "RAW"}, cbpf.FieldError, "has packets of EN10MB, not of RAW"),
        (("arp",), {"link_type": "EN"}, cbpf.FieldError, "link type: 'EN' is unknown"),
        (("arp",), {"dialect": "linux"}, cbpf.FieldError, "'linux' is not a dialect of the page: pcap, linux"),
        (("arp",), {"dialect": cbpf.LINUX.replace(longest=9)}, cbpf.FieldError, "is not a dialect of the page"),
        (("arp",), {"optimize": 1}, cbpf.FieldError, "explore.optimize: expected true or false"),
        (("arp",), {"goal": "x"}, cbpf.FieldError, "explore.goal: unknown goal; expected one of size, speed"),
        (("arp",), {"live": True, "dialect": cbpf.PCAP}, cbpf.FieldError, "live"),
        (("arp",), {"snaplen": -1}, cbpf.FieldError, "explore.snaplen: -1 is not a length"),
        (("ip broadcast",), {"netmask": "x"}, cbpf.FieldError, "netmask: 'x'"),
        (("arp",), {"height": 100}, cbpf.FieldError, r"100 is not a number of pixels \(200..4,000\)"),
        (("arp",), {"height": "9"}, cbpf.FieldError, "'9' is not a number of pixels"),
        *[
            (("arp",), {"notebook_url": url}, cbpf.FieldError, "explore.notebook_url: .* is not a URL such as")
            for url in ("", "hub", "ftp://hub/", "https:///", "https://a b/", "https://x/?q", "https://x;y/", 5)
        ],
    ],
)
def test_invalid_arguments_are_errors_in_one_line(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        cbpf.explore(*arguments, **options)
    assert "\n" not in str(raised.value)


def test_a_table_needs_the_column_of_data(page: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow; ./dev test --all installs it")
    with pytest.raises(cbpf.FieldError, match="data"):
        cbpf.explore("arp", pyarrow.table({"x": [1]}))


# Outputs


def test_the_output_has_the_page_above_the_program(page: Path) -> None:
    shown = cbpf.explore(EXPRESSION, TRAFFIC, height=444)
    output = shown._repr_mimebundle_()
    assert output["text/plain"] == f"<ExplorerPage of 'arp or icmp6', 905 packets>: {shown.url}"
    assert f'"url": "{shown.url}"' in output["text/html"]
    assert '"height": 444' in output["text/html"]
    assert shown._repr_html_().removeprefix("<div><p></p>").removesuffix("</div>") in output["text/html"]


def test_the_output_without_the_page_has_the_program(page: Path) -> None:
    text = cbpf.explore(EXPRESSION, TRAFFIC)._repr_html_()
    assert "script" not in text
    assert "accepts 72 of 905 packets" in text
    listing = str(cbpf.compile(EXPRESSION)).expandtabs(8)
    listings = [unescape(listing) for listing in re.findall("<pre[^>]*>(.*?)</pre>", text, re.DOTALL)]
    assert listing == listings[0]
    assert re.search(r"^\(000\) ldh +\[12\] +arp\n", listings[1])
    (picture,) = re.findall(r'src="data:image/svg\+xml,([^"]*)"', text)
    counts = cbpf.execution_counts(EXPRESSION, [packet.data for packet in cbpf.read_capture(TRAFFIC)])
    assert unquote(picture) == cbpf.graph(EXPRESSION, counts=counts).svg()


def test_a_rejected_program_is_shown_with_the_reasons(page: Path) -> None:
    program = cbpf.Program([(0x15, 1, 1, 1)])
    shown = cbpf.explore(program, TRAFFIC)
    assert cbpf.parse(_served(shown)["state"]["s"]) == program
    text = shown._repr_html_()
    assert "A program: 1 instruction; the dialect pcap rejects it" in text
    reasons = [unescape(reason) for reason in re.findall("<li>(.*?)</li>", text)]
    assert reasons == [str(finding) for finding in cbpf.findings(program)]


def test_plain_code_is_listed_once(page: Path) -> None:
    text = cbpf.explore("arp", optimize=False)._repr_html_()
    assert text.count("<pre") == 1
    assert "before the optimiser" not in text


def test_the_number_of_accepted_packets_is_that_of_the_filter(page: Path) -> None:
    accepted = sum(bool(verdict) for part in cbpf.capture_verdicts(TRAFFIC, EXPRESSION) for verdict in part)
    assert f"accepts {accepted} of 905 packets" in cbpf.explore(EXPRESSION, TRAFFIC)._repr_html_()


def test_texts_are_escaped(page: Path) -> None:
    shown = cbpf.explore("len < 60 and\nlen > 1", [bytes(60)])
    for output in (shown._repr_html_(), shown._repr_mimebundle_()["text/html"]):
        assert "<code>len &lt; 60 and\nlen &gt; 1</code>" in output
        assert re.findall(r"</?(\w+)", output.partition("<script")[0])[-1] == "details" or "script" not in output


def test_a_warning_is_shown_once(page: Path) -> None:
    with pytest.warns(cbpf.ExpressionWarning, match="extension headers") as warned:
        cbpf.explore("protochain 6", TRAFFIC)
    assert len(warned) == 1


def test_long_expressions_are_shortened(page: Path) -> None:
    text = " or ".join(f"port {number}" for number in range(100))
    shown = cbpf.explore(text)
    assert repr(shown) == f"<ExplorerPage of '{text[:56]} ...'>"
    assert f"<code>{text[:196]} ...</code>" in shown._repr_html_()
    assert _served(shown)["state"]["s"] == text


def test_large_programs_are_listed_without_a_graph(page: Path) -> None:
    text = cbpf.explore([*[(0, 0, 0, 7)] * 3_000, (6, 0, 0, 1)], optimize=False)._repr_html_()
    assert "the page draws at most " in text
    assert "A program: 3,001 instructions" in text


@pytest.mark.skipif(is_installed("cbpf_explorer"), reason="cbpf-explorer is installed")
def test_without_the_distribution_the_output_says_how_to_install_it() -> None:
    shown = cbpf.explore(EXPRESSION, TRAFFIC)
    output = shown._repr_mimebundle_()
    assert "pip install &#x27;cbpf-explorer==" in output["text/html"]
    assert "accepts 72 of 905 packets" in output["text/html"]
    assert "<script" not in output["text/html"]
    with pytest.raises(cbpf.MissingLibrary, match="pip install 'cbpf-explorer=="):
        _ = shown.url


def test_the_message_of_the_page_is_the_one_that_outputs_expect(page: Path) -> None:
    (expected,) = re.findall(r'"message": ("[^"]*")', cbpf.explore("arp")._repr_mimebundle_()["text/html"])
    assert f"postMessage({expected}, " in (ROOT / "explorer" / "page" / "frame.js").read_text()


# The server


def test_only_notebooks_of_this_machine_show_the_page_in_a_frame(page: Path) -> None:
    policy = dict(
        part.split(" ", 1) for part in _get(cbpf.explore("arp").url)[1]["Content-Security-Policy"].split("; ")
    )
    assert policy["frame-ancestors"].split() == [
        f"{scheme}://{host}:*" for scheme in ("http", "https") for host in ("localhost", "127.0.0.1")
    ]
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"


def test_a_page_behind_a_proxy_is_that_of_its_notebook_alone(page: Path) -> None:
    shown = cbpf.explore("arp", notebook_url=f"{PROXY}/user/ann")
    assert re.fullmatch(rf"{PROXY}/user/ann/proxy/\d+/[\w-]{{22}}/", shown.url)
    status, headers, _ = _get(shown.url, Host="hub.example.org")
    assert status == 200
    assert headers["Content-Security-Policy"].endswith(f"; frame-ancestors {PROXY}")
    assert [_get(shown.url, Host=host)[0] for host in ("example.org", "hub.example.org:1", "")] == [403, 403, 403]
    assert _get(cbpf.explore("arp").url, Host="hub.example.org")[0] == 403
    assert f'"notebook": "{PROXY}"' in shown._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("hub.example.org", PROXY, 200),
        ("hub.example.org", "http://hub.example.org", 403),
        ("hub.example.org", "https://example.org", 403),
        ("", "", 200),
        ("", PROXY, 403),
    ],
)
def test_questions_come_from_the_origin_of_the_name(page: Path, host: str, origin: str, status: int) -> None:
    shown = cbpf.explore("arp", notebook_url=PROXY)
    found = re.search(r"/proxy/(\d+)(/.*)", shown.url)
    assert found
    address = f"127.0.0.1:{found[1]}"
    headers = {"Host": host or address, "Origin": origin or f"http://{address}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
    connection.request("POST", f"{found[2]}proofs/witness", b"{}", headers)
    assert connection.getresponse().status == status
    connection.close()


def test_a_hub_states_its_address(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", "https://HUB.example.org:8443/user/ann@x/")
    assert cbpf.explore("arp").url.startswith("https://hub.example.org:8443/user/ann@x/proxy/")
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", "x")
    with pytest.raises(cbpf.FieldError, match="JUPYTERHUB_PUBLIC_URL: 'x' is not a URL"):
        cbpf.explore("arp")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://hub.example.org:443/", "https://hub.example.org"),
        ("http://hub.example.org:80/", "http://hub.example.org"),
        ("https://[2001:db8::443]:443", "https://[2001:db8::443]"),
        ("https://[2001:db8::443]/", "https://[2001:db8::443]"),
        ("https://hub.example.org:80/", "https://hub.example.org:80"),
        ("http://hub.example.org:443/", "http://hub.example.org:443"),
    ],
)
def test_the_origin_is_that_which_browsers_send(page: Path, url: str, origin: str) -> None:
    shown = cbpf.explore("arp", notebook_url=url)
    assert shown.url.startswith(f"{origin}/proxy/")
    assert _get(shown.url, Host=origin.partition("://")[2])[0] == 200


def test_all_pages_have_one_server(page: Path) -> None:
    pages = [cbpf.explore(f"tcp port {number}") for number in range(60)]
    urls = [shown.url for shown in pages]
    assert len({urlsplit(url).port for url in urls}) == 1
    assert [_get(url)[0] for url in (urls[0], urls[9], urls[10], urls[59])] == [404, 404, 200, 200]
    assert pages[59]._repr_mimebundle_() == pages[59]._repr_mimebundle_()  # shown twice
    assert pages[0].url != urls[0]  # served again
    assert _served(pages[0])["state"]["s"] == "tcp port 0"


def test_a_closed_page_is_not_served(page: Path) -> None:
    with cbpf.explore("arp") as shown:
        url = shown.url
        assert _get(url)[0] == 200
    shown.close()
    assert _get(url)[0] == 404
    assert "<script" not in shown._repr_mimebundle_()["text/html"]
    with pytest.raises(cbpf.FieldError, match="the page is closed"):
        _ = shown.url


def test_a_page_that_is_not_displayed_has_no_server() -> None:
    code = "import cbpf, threading; cbpf.explore('arp')._repr_html_(); print(threading.active_count())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_the_server_ends_with_its_process(page: Path) -> None:
    code = f"""
import cbpf
from cbpf.explorer.notebook import server as notebook_server
notebook_server.page_folder = lambda: {str(page)!r}
print(cbpf.explore("arp").url, flush=True)
input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert _get(url)[0] == 200
    process.communicate("\n", timeout=30)
    assert process.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        _get(url)


def test_a_forked_process_does_not_keep_the_port(page: Path) -> None:
    code = f"""
import os, socket, threading, cbpf
from cbpf.explorer.notebook import server as notebook_server
notebook_server.page_folder = lambda: {str(page)!r}
shown = cbpf.explore("arp")
url, server = shown.url, notebook_server._servers[0]
child = os.fork()
if child == 0:
    assert server.socket.fileno() == -1
    assert shown.url != url and threading.active_count() == 2
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n", done.stderr


def test_a_forked_process_serves_pages_although_a_thread_served_one(page: Path) -> None:
    code = f"""
import os, threading, time, cbpf
from cbpf.explorer.notebook import server as notebook_server
notebook_server.page_folder = lambda: {str(page)!r}
shown, held = cbpf.explore("arp"), threading.Event()
def hold():
    with notebook_server._lock:
        held.set()
        time.sleep(0.5)
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    is_free = notebook_server._lock.acquire(timeout=20)
    os._exit(0 if is_free and shown.url else 1)
print(os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n", done.stderr
