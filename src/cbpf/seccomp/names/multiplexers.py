"""The system calls that make others: socketcall (linux/net.h) and ipc (linux/ipc.h), with the number in argument 0."""

from collections.abc import Mapping
from types import MappingProxyType

from ..._typing import Final

SOCKET_CALLS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "socket": 1,
        "bind": 2,
        "connect": 3,
        "listen": 4,
        "accept": 5,
        "getsockname": 6,
        "getpeername": 7,
        "socketpair": 8,
        "send": 9,
        "recv": 10,
        "sendto": 11,
        "recvfrom": 12,
        "shutdown": 13,
        "setsockopt": 14,
        "getsockopt": 15,
        "sendmsg": 16,
        "recvmsg": 17,
        "accept4": 18,
        "recvmmsg": 19,
        "sendmmsg": 20,
    }
)
"""The calls that socketcall makes, by name."""

IPC_CALLS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "semop": 1,
        "semget": 2,
        "semctl": 3,
        "semtimedop": 4,
        "msgsnd": 11,
        "msgrcv": 12,
        "msgget": 13,
        "msgctl": 14,
        "shmat": 21,
        "shmdt": 22,
        "shmget": 23,
        "shmctl": 24,
    }
)
"""The calls that ipc makes, by name."""
