"""The translation of classic programs to eBPF, as Linux 6.18 makes it on a little-endian 64-bit machine: its sizes."""

from .._typing import Final
from .enumerations import Extension, extension_of
from .opcodes import CONDITIONS, SIGN_BIT, Action, Opcode, Operand
from .raw_instruction import RawInstruction

# The number of eBPF instructions of an extension load (convert_bpf_extensions); 4 for all others.
_EXTENSION_SIZES: Final = {
    Extension.PROTO: 2,
    Extension.TYPE: 2,
    Extension.VLAN_TAG_PRESENT: 3,
    Extension.VLAN_PROTO: 2,
    Extension.MARK: 1,
    Extension.RX_HASH: 1,
    Extension.QUEUE: 1,
    Extension.VLAN_TAG: 1,
    Extension.XOR_X: 1,
}


def translated_size(opcode: Opcode, raw: RawInstruction) -> int:
    """Return the number of eBPF instructions in Linux 6.18's translation, on a little-endian 64-bit machine.

    Source: net/core/filter.c, bpf_convert_filter; tests compare it with the longest jumps that a live kernel accepts.
    """
    match opcode.operand:
        case Operand.ABSOLUTE | Operand.MEMORY_SHIFT | Operand.INDIRECT:
            return _translated_load_size(opcode, raw.k)
        case Operand.X if opcode.action in (Action.DIV, Action.MOD):
            return 5
        case Operand.K if opcode.action is Action.RETURN:
            return 2
        case Operand.K | Operand.X if opcode.action in CONDITIONS:
            is_single_jump = raw.jf == 0 or (raw.jt == 0 and opcode.action is not Action.BITS_SET)
            return (1 if is_single_jump else 2) + (opcode.operand is Operand.K and raw.k >= SIGN_BIT)
    return 1


def _translated_load_size(opcode: Opcode, k: int) -> int:
    if opcode.operand is Operand.INDIRECT:
        return 8 + (k != 0)
    extra = 6 if opcode.operand is Operand.MEMORY_SHIFT else 0
    extension = extension_of(opcode, k)
    if extension is not None:
        return _EXTENSION_SIZES.get(extension, 4)
    if k >= SIGN_BIT:
        return 8 + extra
    return 11 + (k != 0) + (3 if k > 0x7FFF else 1) + (opcode.size > 1) + extra
