"""Header columns: the fields of packets as classic BPF programs, one for each number.

A column has programs for its values, and one that indicates where it is null. They run on any engine, like filters.

>>> from cbpf import VM
>>> programs = field_programs("src_port", "EN10MB")
>>> packet = bytes(12) + bytes.fromhex("0800 450000200000000040110000 7f000001 7f000001 cafe0035000c0000") + bytes(4)
>>> VM(programs.values[0]).run(packet) == 0xCAFE, VM(programs.validity).run(packet)
(True, 1)
"""

from .columns import FIELD_NAMES, FieldType, field_type
from .programs import FieldPrograms, field_programs

__all__ = ["FIELD_NAMES", "FieldPrograms", "FieldType", "field_programs", "field_type"]
