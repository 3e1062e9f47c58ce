"""The hooks of eBPF programs: sections, results, and the metadata that a program can load.

Sources: linux/bpf.h (struct __sk_buff, struct xdp_md, enum bpf_func_id, enum xdp_action), linux/pkt_cls.h.
"""

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..._options import AcceptedFate

GET_RANDOM: Final = 7
GET_PROCESSOR: Final = 8
LOAD_BYTES: Final = 26
"""The numbers of helper functions: bpf_get_prandom_u32, bpf_get_smp_processor_id, bpf_skb_load_bytes."""


def opposite(fate: "AcceptedFate") -> "AcceptedFate":
    """Return the fate of the packets that are not accepted."""
    return "drop" if fate == "pass" else "pass"


class ContextField(NamedTuple):
    """A field of the context, with 32 bits.

    Args:
        offset: Its offset in bytes.
        is_network_order: Whether it has 16 bits in network byte order.
    """

    offset: int
    is_network_order: bool = False


class Hook(NamedTuple):
    """A hook.

    Args:
        section: The section of the program, by which loaders know its type.
        program_type: The number of the type, BPF_PROG_TYPE_*.
        data: The offsets of the fields for the first byte of the packet and for the end of the bytes that have an
            address; None: all loads are instructions.
        fields: The fields of the context by the words of the extensions.
        results: The results for packets that pass and are dropped; None: the verdict itself.
    """

    section: str
    program_type: int
    data: tuple[int, int] | None
    fields: dict[str, ContextField]
    results: "dict[AcceptedFate, int] | None"

    def result(self, verdict: int, accept: "AcceptedFate") -> int:
        """Return the result for a verdict of the classic program."""
        if self.results is None:
            return verdict
        return self.results[accept] if verdict else self.results[opposite(accept)]


_SKB_FIELDS: Final = {
    "type": ContextField(4),
    "mark": ContextField(8),
    "queue": ContextField(12),
    "proto": ContextField(16, is_network_order=True),
    "vlan_avail": ContextField(20),
    "vlan_tci": ContextField(24),
    "vlan_tpid": ContextField(28, is_network_order=True),
    "ifidx": ContextField(40),
    "rxhash": ContextField(68),
}
SKB_LENGTH: Final = ContextField(0)
_XDP_FIELDS: Final = {"ifidx": ContextField(12), "queue": ContextField(16)}

HOOKS: Final = {
    "ebpf-xdp": Hook("xdp", 6, (0, 4), _XDP_FIELDS, {"pass": 2, "drop": 1}),
    "ebpf-tc": Hook("tc", 3, (76, 80), _SKB_FIELDS, {"pass": 0, "drop": 2}),
    "ebpf-socket": Hook("socket", 1, None, _SKB_FIELDS, None),
}
"""The hooks by the names of their targets."""

HELPER_WORDS: Final = {"cpu": GET_PROCESSOR, "rand": GET_RANDOM}
"""The extensions that helper functions return, on all hooks."""
