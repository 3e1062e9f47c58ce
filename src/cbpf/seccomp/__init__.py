"""Filters of system calls, as policies: which calls they permit, and under which conditions on the arguments.

>>> from cbpf import seccomp
>>> family = seccomp.Condition(0, (seccomp.MaskedRanges(ranges=((38, 38),)),))
>>> seccomp.Rule(architectures=((0xC000003E, 0xC000003E),), numbers=((41, 41),), conditions=(family,), verdict=0x50001)
Rule(architectures=((3221225534, 3221225534),), numbers=((41, 41),),
     conditions=(Condition(operand=0, alternatives=(MaskedRanges(mask=18446744073709551615, ranges=((38, 38),)),)),),
     verdict=327681)
"""

from .rules import Condition, MaskedRanges, Rule

__all__ = ["Condition", "MaskedRanges", "Rule"]
