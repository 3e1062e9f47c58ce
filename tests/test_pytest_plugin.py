"""The pytest plugin: tables of packets and verdicts, and the coverage of filters."""

import subprocess
import sys

import pytest

WEB = "000000000000 000000000000 0800 4500 00000000 0000 0006 0000 00000000 00000000 0000 0050"


def test_a_table_that_holds(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        import cbpf

        def test_expression(filter_table):
            filter_table("tcp port 80 or arp", [("keep", "{WEB}"), ("drop", b""), (0, bytes(14))])

        def test_plain(filter_table):
            plain = cbpf.compile("tcp port 80", optimizer=None)
            filter_table(plain, [("keep", "{WEB}"), ("drop", b""), (0, bytes(14))], name="plain")

        def test_program(filter_table):
            program = cbpf.parse("ldb [0]\\njeq #1,0,1\\nret #7\\nret #0")
            filter_table(program, [(7, b"\\1"), ("drop", b"\\2")], name="ones")

        def test_system_call(filter_table):
            allow = cbpf.parse("ret #0x7fff0000")
            filter_table(allow, [("keep", bytes(64))], dialect=cbpf.SECCOMP)
    """)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        [
            "*= filter coverage =*",
            "plain: 16 of 22 instructions, 7 of 18 sides of branches",
            "    never runs: 2..7",
            "    never: 1 true, 11 false, 13 true, 16 true, 19 false",
            "ones: 4 of 4 instructions, 2 of 2 sides of branches",
            "a filter of 1 instructions: 1 of 1 instructions, 0 of 0 sides of branches",
        ]
    )


def test_rows_that_fail_are_shown_with_their_trace(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_arp(filter_table):
            filter_table("arp", [("keep", bytes(14)), ("drop", bytes(12) + b"\\x08\\x06"), ("drop", b"")])
    """)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "arp: 2 of 3 rows fail",
            "row 1: rejects the packet (verdict 0), and not keep",
            "packet: 14 bytes captured, 14 on the wire",
            "(001) jeq * #0x806 * false, to 3",
            "row 2: accepts the packet (verdict 262144), and not drop",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_the_cases_of_a_program_are_a_table(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import cbpf

        def test_all(filter_table):
            plain = cbpf.compile("tcp port 80", optimizer=None)
            filter_table(plain, cbpf.cases(plain), name="plain")
    """)
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["plain: 22 of 22 instructions, 18 of 18 sides of branches"])


def test_what_no_packet_reaches_does_not_count(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import cbpf

        def test_dead(filter_table):
            dead = cbpf.parse("ldh [12]\\njeq #1,0,2\\njeq #2,0,1\\nret #1\\nret #0")
            filter_table(dead, [("drop", bytes(14)), ("drop", bytes(13) + b"\\1")])
    """)
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["a filter of 5 instructions: 4 of 4 instructions, 3 of 3 sides of branches"])


def test_wrong_rows_are_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import cbpf, pytest

        @pytest.mark.parametrize(("row", "message"), [
            (("keep", "0g"), "row 2: .* is no pair of a verdict and a packet"),
            ("keep", "row 2: 'keep' is no pair"),
            (("kept", b""), "row 2: 'kept' is no verdict; it is a number, 'keep' or 'drop'"),
            ((True, b""), "row 2: True is no verdict"),
        ])
        def test_row(filter_table, row, message):
            with pytest.raises(cbpf.FieldError, match=message):
                filter_table("arp", [("drop", b""), row])
    """)
    pytester.runpytest().assert_outcomes(passed=4)


def test_workers_report_together(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("row", [("drop", bytes(14)), ("keep", bytes(12) + b"\\x08\\x06")])
        def test_arp(filter_table, row):
            filter_table("arp", [row])
    """)
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["arp: 4 of 4 instructions, 2 of 2 sides of branches"])


def test_it_costs_nothing_unused() -> None:
    code = "import sys, cbpf.pytest_plugin; print([name for name in sys.modules if name.startswith('cbpf')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "['cbpf', 'cbpf.pytest_plugin']\n"


def test_no_section_without_tables(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    assert "filter coverage" not in result.stdout.str()
