"""A script that compiles many different programs, calls each once, and prints the growth of the process in bytes."""

import sys

import cbpf

_WARM_UP_COUNT = 200


def main(count: int) -> None:
    instructions = cbpf.compile("tcp port 443").instructions[:-1]
    packet = bytes(64)
    start = 0
    for index in range(_WARM_UP_COUNT + count):
        if index == _WARM_UP_COUNT:
            start = _own_memory()
        cbpf.VM([*instructions, cbpf.RetConstant(index)], engine="llvm").run(packet)
    print(_own_memory() - start)


def _own_memory() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
