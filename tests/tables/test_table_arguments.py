"""Arguments of `read_batches` and `read_table` that are not valid: one line with the place, the fact and the rule."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import cbpf
from support.captures import TRAFFIC, Pcapng, Variant, encoded

pytest.importorskip("pyarrow", reason="needs pyarrow; ./dev test --all installs it")

USB = encoded([], Variant(linktype=249))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["time", "src_prt"]}, "columns: 'src_prt' is not a column; did you mean 'src_port'?"),
        ({"columns": ["lenght"]}, "columns: 'lenght' is not a column; did you mean 'length'?"),
        ({"columns": ["dn"], "define": {"dns": "udp"}}, "columns: 'dn' is not a column; did you mean 'dns'?"),
        ({"columns": ["time", "time"]}, "columns: 'time' occurs twice"),
        ({"columns": "time"}, "columns: 'time' is a text; pass a list of names"),
        ({"columns": 7}, "columns: 7 is not "),
        ({"columns": ["#"]}, "columns: '#' is not a column; the columns are number, time, interface, "),
        ({"columns": [7]}, "columns: 7 is not a column; the columns are number, time, "),
        ({"define": ["dns"]}, "define: ['dns'] is not a mapping of names to filters"),
        ({"define": {"": "udp"}}, "define: '' is not a name of a column, a text of one character or more"),
        ({"define": {7: "udp"}}, "define: 7 is not a name of a column, a text of one character or more"),
        ({"define": {"ttl": "udp"}}, "define: 'ttl' is a column of every table; choose another name"),
        ({"define": {"data": "udp"}}, "define: 'data' is a column of every table; choose another name"),
        ({"define": {"dns": 7}}, "define['dns']: 7 is not an expression, a program, a savefile or a VM"),
        ({"filter": 7}, "filter: 7 is not an expression, a program, a savefile or a VM"),
        ({"since": "yesterday"}, "since: 'yesterday' is not a time"),
        ({"since": 5, "until": 4}, "until: 4 is not later than since, 5, so no packet would be selected"),
        ({"sample": 0}, "sample: "),
        ({"seed": -1}, "seed: "),
        ({"engine": "fast"}, "engine: "),
        ({"dialect": "pcap"}, "dialect: "),
        ({"as_socket": 1}, "as_socket: "),
    ],
)
def test_other_arguments_are_errors(options: dict[str, Any], message: str) -> None:
    for function in (cbpf.arrow.read_table, cbpf.arrow.read_batches):
        with pytest.raises(cbpf.FieldError) as raised:
            function(TRAFFIC, **options)
        assert str(raised.value).startswith(f"{function.__name__}.{message}")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("batch_size", [0, -1, 2**31, 1.5, True, None])
def test_other_sizes_of_batches_are_errors(batch_size: Any) -> None:
    with pytest.raises(cbpf.FieldError, match=r"^read_batches\.batch_size: "):
        cbpf.arrow.read_batches(TRAFFIC, batch_size=batch_size)


def test_sources_that_are_no_captures_are_errors_of_the_call(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for source in (empty, tmp_path / "missing", tmp_path, BytesIO(b"not a capture, but a text")):
        with pytest.raises(cbpf.CaptureError):
            cbpf.arrow.read_batches(source)
    with pytest.raises(cbpf.FieldError, match=r"^read_table\.source: is empty; name at least one capture$"):
        cbpf.arrow.read_table([])


def test_filters_that_do_not_fit_are_errors_of_the_call() -> None:
    for options in ({"filter": "vlan"}, {"define": {"tagged": "vlan"}}):
        with pytest.raises(cbpf.LinkTypeError):
            cbpf.arrow.read_batches(BytesIO(USB), **options)
    with pytest.raises(cbpf.ExpressionError, match="no such thing"):
        cbpf.arrow.read_batches(TRAFFIC, define={"a": "no such thing"})
    with pytest.raises(cbpf.VerificationError):
        cbpf.arrow.read_batches(TRAFFIC, define={"a": cbpf.parse("ld [0]")})
    with pytest.raises(cbpf.FieldError, match=r"^Column\.value: 7 is not an expression"):
        cbpf.arrow.Column(7)  # type: ignore[arg-type]


def test_a_column_that_the_link_type_lacks_is_an_error() -> None:
    message = r"^capture: packets of the link type USBPCAP have no column 'src_port'$"
    with pytest.raises(cbpf.CaptureError, match=message):
        cbpf.arrow.read_batches(BytesIO(USB), columns=["src_port"])
    build = Pcapng("<")
    usb = build.section() + build.interface(249) + build.enhanced(b"a")
    reader = cbpf.arrow.read_batches(BytesIO(usb), columns=["src_port"])
    assert reader.read_next_batch()["src_port"].null_count == 1
    with pytest.raises(cbpf.CaptureError, match=message):
        reader.read_next_batch()
    both = usb + build.interface(1)
    assert cbpf.arrow.read_table(BytesIO(both), columns=["src_port"])["src_port"].null_count == 1


def test_a_missing_library_is_named_with_its_extra() -> None:
    code = f"import sys, cbpf; sys.modules['pyarrow'] = None; cbpf.arrow.read_table({str(TRAFFIC)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "cbpf.errors.MissingLibrary: Arrow tables need pyarrow: pip install 'cbpf[arrow]'"
    )
