"""The pytest plugin: tables of packets and of system calls, and reports of filter coverage."""

import subprocess
import sys

import pytest

import cbpf

WEB = "000000000000 000000000000 0800 4500 00000000 0000 0006 0000 00000000 00000000 0000 0050"


@pytest.fixture(autouse=True, scope="module")
def _imported_names() -> None:
    """Import the public names first: pytester unloads the modules that a session within this process imports."""
    for module in (cbpf, cbpf.seccomp):
        for name in module.__all__:
            getattr(module, name)


def test_tables_pass_and_coverage_is_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        import cbpf

        def test_expression(filter_table):
            filter_table("tcp port 80 or arp", [("accept", "{WEB}"), ("reject", b""), (0, bytes(14))])

        def test_plain(filter_table):
            plain = cbpf.compile("tcp port 80", optimizer=None)
            filter_table(plain, [("accept", "{WEB}"), ("reject", b""), (0, bytes(14))], name="plain")

        def test_program(filter_table):
            program = cbpf.parse("ldb [0]\\njeq #1,0,1\\nret #7\\nret #0")
            filter_table(program, [(7, b"\\1"), ("reject", b"\\2")], name="ones")

        def test_system_call(filter_table):
            allow = cbpf.parse("ret #0x7fff0000")
            filter_table(allow, [("accept", bytes(64))], dialect=cbpf.SECCOMP)

        def test_metadata(filter_table):
            marked = cbpf.parse("ld #mark\\njeq #7,1\\nret #0\\nret #1")
            rows = [("accept", b"", cbpf.Metadata(mark=7)), ("reject", b"")]
            filter_table(marked, rows, dialect=cbpf.LINUX, name="marked")
    """)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        [
            "*= filter coverage =*",
            "plain: 16 of 22 instructions, 7 of 18 branch outcomes",
            "    never executed: 2..7",
            "    outcomes never seen: 1 true, 11 false, 13 true, 16 true, 19 false",
            "ones: 4 of 4 instructions, 2 of 2 branch outcomes",
            "a filter of 1 instruction: 1 of 1 instructions, 0 of 0 branch outcomes",
        ]
    )


def test_clauses_that_lack_an_outcome_are_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        import cbpf

        def test_first(filter_table):
            filter_table("tcp port 80 or arp or vlan", [("accept", "{WEB}"), ("reject", bytes(14))])

        def test_second(filter_table):
            filter_table("tcp port 80 or arp or vlan", [("accept", bytes(12) + b"\\x08\\x06")])

        def test_unreached(filter_table):
            filter_table("ip and udp and not len = 7", [("reject", bytes(14))], name="unreached")
    """)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)
    lines = [line for line in result.stdout.lines if line.startswith("    clauses")]
    assert lines == [
        "    clauses never true: vlan",
        "    clauses never evaluated: udp, len = 7",
        "    clauses never true: ip",
    ]


def test_failing_rows_are_reported_with_their_trace(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_arp(filter_table):
            filter_table("arp", [("accept", bytes(14)), ("reject", bytes(12) + b"\\x08\\x06"), ("reject", b"")])
    """)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "arp: 2 of 3 rows fail",
            "row 1: rejects the packet (verdict 0); expected accept",
            "packet: 14 bytes captured, 14 on the wire",
            "(001) jeq * #0x806 * false, to 3",
            "row 2: accepts the packet (verdict 262144); expected reject",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_generated_cases_cover_everything(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import cbpf

        def test_all(filter_table):
            plain = cbpf.compile("tcp port 80", optimizer=None)
            filter_table(plain, cbpf.cases(plain), name="plain")
    """)
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["plain: 22 of 22 instructions, 18 of 18 branch outcomes"])


def test_dead_code_does_not_count(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import cbpf

        def test_dead(filter_table):
            dead = cbpf.parse("ldh [12]\\njeq #1,0,2\\njeq #2,0,1\\nret #1\\nret #0")
            filter_table(dead, [("reject", bytes(14)), ("reject", bytes(13) + b"\\1")])
    """)
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["a filter of 5 instructions: 4 of 4 instructions, 3 of 3 branch outcomes"])


def test_malformed_rows_are_rejected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import cbpf, pytest

        @pytest.mark.parametrize(("row", "message"), [
            (("accept", "0g"), "row 2: '0g' is neither bytes nor hexadecimal text: non-hexadecimal number"),
            (("accept", b"", 1, 2), "row 2: .* is not a pair of a verdict and a packet"),
            (("accept", b"", None), "row 2: None is not a Metadata"),
            (("accept", 1.5), "row 2: 1.5 is neither bytes nor hexadecimal text"),
            ("accept", "row 2: 'accept' is not a pair"),
            (("kept", b""), "row 2: 'kept' is not a verdict; it must be 'accept', 'reject' or a number"),
            ((True, b""), "row 2: True is not a verdict"),
        ])
        def test_row(filter_table, row, message):
            with pytest.raises(cbpf.FieldError, match=message):
                filter_table("arp", [("reject", b""), row])
    """)
    pytester.runpytest().assert_outcomes(passed=7)


DENY_1 = "ld [0]\\njeq #1, 0, 1\\nret #0x50001\\nret #0x7fff0000"


def test_tables_of_system_calls_pass_and_coverage_is_reported(pytester: pytest.Pytester) -> None:
    table = 'architectures = ["x86_64"]\n[[test]]\ncalls = ["1..2"]\n'
    pytester.makefile(".toml", calls=table + 'action = "allow"\n', deny=table + 'action = "errno(EPERM)"\n')
    pytester.makefile(".asm", allow="ret #0x7fff0000")
    pytester.makepyfile(f"""
        import cbpf
        from pathlib import Path
        from cbpf.seccomp import CallTest, Policy, SeccompAction, Stack, SystemCall

        DENY = cbpf.parse("{DENY_1}")
        ROWS = [("errno(EPERM)", SystemCall(1)), CallTest((SystemCall(2),), SeccompAction(0x7FFF0000))]

        def test_files(call_table):
            call_table("allow.asm", Path("calls.toml"))

        def test_program(call_table):
            call_table(DENY, ROWS, name="deny 1")

        def test_stack(call_table):
            call_table(Stack([DENY, cbpf.parse("ret #0x7fff0000")]), ROWS[:1], name="stack")

        def test_policy(call_table):
            call_table(Policy((), 0x50001), "deny.toml", name="policy")
    """)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(passed=4)
    lines = result.stdout.lines
    start = next(index for index, line in enumerate(lines) if "filter coverage" in line)
    assert lines[start + 1 : start + 4] == [
        "allow.asm: 1 of 1 instructions, 0 of 0 branch outcomes",
        "deny 1: 4 of 4 instructions, 2 of 2 branch outcomes",
        "policy: 1 of 1 instructions, 0 of 0 branch outcomes",
    ]


def test_failing_calls_are_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"""
        import cbpf
        from cbpf.seccomp import SystemCall

        def test_deny(call_table):
            calls = [("allow", SystemCall(1000)), ("allow", SystemCall(1)), ("kill_process", SystemCall(1001))]
            call_table(cbpf.parse("{DENY_1}"), calls)
    """)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "a filter of 4 instructions",
            "row 2: x86_64 *: expected allow, got errno(EPERM) from filter 1",
            "row 3: x86_64 number 1001: expected kill_process, got allow from filter 1",
            "2 of 3 tests fail (3 calls)",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_tables_of_system_calls_on_the_kernel(pytester: pytest.Pytester) -> None:
    """The kernel is a substitute, which decides as cbpf does, decides otherwise, or is missing."""
    pytester.makepyfile("""
        import cbpf, pytest
        from cbpf.seccomp import Decision, SeccompAction, SystemCall
        from cbpf.seccomp.call_tests import call_checks

        ROWS = [("allow", SystemCall(1)), ("allow", SystemCall(1, architecture="aarch64"))]

        @pytest.mark.parametrize("verdict", [0x7FFF0000, 0x50001, None])
        def test_allow(call_table, monkeypatch, verdict):
            def decisions(stack, calls):
                if verdict is None:
                    raise cbpf.SeccompError(38, "seccomp: not here")
                return [Decision(SeccompAction(verdict), 0) for call in calls]

            monkeypatch.setattr(call_checks, "kernel_decisions", decisions)
            call_table(cbpf.parse("ret #0x7fff0000"), ROWS, on_kernel=True, name="allow")
    """)
    result = pytester.runpytest("-p", "no:cacheprovider", "-rs")
    result.assert_outcomes(passed=1, failed=1, skipped=1, warnings=2)
    result.stdout.fnmatch_lines(
        [
            "row 1: x86_64 *: the running kernel decides errno(EPERM) from filter 1; cbpf decides allow",
            "*UserWarning: 1 call not made on the kernel: only calls of x86_64, x32 and i386 can be made",
            "SKIPPED * allow: all tests pass, but not on the kernel: *seccomp: not here*",
        ]
    )


def test_malformed_rows_of_calls_are_rejected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(r"""
        import cbpf, pytest
        from cbpf.seccomp import SystemCall

        @pytest.mark.parametrize(("row", "message"), [
            (1, "row 1: 1 is not a pair of an action and a SystemCall"),
            (("allow", 1), r"row 1: \('allow', 1\) is not a pair"),
            ((0x7FFF0000, SystemCall(1)), "is not a pair"),
            (("alow", SystemCall(1)), "row 1: action: 'alow' is not an action"),
        ])
        def test_row(call_table, row, message):
            with pytest.raises(cbpf.FieldError, match=message):
                call_table(cbpf.parse("ret #0"), [row])

        def test_table(call_table, tmp_path):
            (tmp_path / "t.toml").write_text("")
            with pytest.raises(cbpf.PolicyError, match="t.toml: test: missing"):
                call_table(cbpf.parse("ret #0"), tmp_path / "t.toml")
    """)
    pytester.runpytest().assert_outcomes(passed=5)


def test_coverage_of_xdist_workers_is_merged(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("row", [("reject", bytes(14)), ("accept", bytes(12) + b"\\x08\\x06")])
        def test_arp(filter_table, row):
            filter_table("arp", [row])
    """)
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["arp: 4 of 4 instructions, 2 of 2 branch outcomes"])


def test_plugin_imports_only_names_and_forks_until_it_is_used() -> None:
    code = "import sys, cbpf.pytest_plugin; print([name for name in sys.modules if name.startswith('cbpf')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "['cbpf._forks', 'cbpf', 'cbpf._typing', 'cbpf.pytest_plugin']\n"


def test_no_coverage_is_reported_without_tables(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    assert "filter coverage" not in result.stdout.str()
