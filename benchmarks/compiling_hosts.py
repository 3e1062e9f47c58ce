"""A script that compiles a list of random hosts, and prints the maximum resident set of its process in bytes."""

import resource
import sys
from ipaddress import IPv4Address
from random import Random

import cbpf


def host_list(count: int) -> str:
    """Return an expression with a list of random addresses."""
    random = Random(f"{count} hosts")
    return f"host ({' or '.join(str(IPv4Address(random.getrandbits(32))) for _ in range(count))})"


def main(count: int) -> None:
    """Compile a list, and print the memory."""
    cbpf.compile(host_list(count))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main(int(sys.argv[1]))
