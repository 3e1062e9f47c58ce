"""Proofs that programs agree, and packets on which they do not."""

import cbpf


def test_a_difference_is_a_packet_with_two_verdicts() -> None:
    found = cbpf.difference(cbpf.compile("ip"), cbpf.compile("ip6"))
    assert found is not None
    assert len(found.packet) == 14
    assert {found.left_verdict, found.right_verdict} == {0, 262144}
