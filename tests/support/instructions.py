"""Hypothesis strategies for instructions, and one typed instruction of each kind."""

from __future__ import annotations

from hypothesis import strategies

import cbpf
from cbpf import ALUOp, Extension, JumpTest, RawInstruction, Register

OPCODES = cbpf.LINUX.opcodes


words = strategies.one_of(
    strategies.integers(0, 2**32 - 1), strategies.integers(0, 20), strategies.integers(0xFFFFF000, 0xFFFFFFFF)
)
bytes_ = strategies.integers(0, 255)
codes = strategies.one_of(strategies.sampled_from(sorted(OPCODES)), strategies.integers(0, 65535))
raws = strategies.builds(RawInstruction, codes, bytes_, bytes_, words)


TYPED = [
    cbpf.LoadConstant(Register.A, 42),
    cbpf.LoadConstant(Register.X, 42),
    cbpf.LoadScratch(Register.A, 3),
    cbpf.LoadAbsolute(42, 1),
    cbpf.LoadIndirect(42, 2),
    cbpf.LoadMemShift(42),
    cbpf.LoadExtension(Extension.RAND),
    cbpf.StoreScratch(Register.X, 3),
    cbpf.ALUOpConstant(ALUOp.XOR, 3),
    cbpf.ALUOpX(ALUOp.MOD),
    cbpf.NegateA(),
    cbpf.Jump(17),
    cbpf.JumpIf(JumpTest.EQUAL, 42, 8, 9),
    cbpf.JumpIfX(JumpTest.BITS_SET, 2, 3),
    cbpf.RetA(),
    cbpf.RetConstant(42),
    cbpf.TAX(),
    cbpf.TXA(),
]


programs = strategies.builds(cbpf.Program, strategies.lists(raws))
