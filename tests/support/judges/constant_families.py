"""The families of constants in constants.txt: the headers that define them, and patterns of their names."""

from __future__ import annotations

from typing import Final, NamedTuple


class Family(NamedTuple):
    """Constants of one kind.

    Attributes:
        headers: The headers that define them.
        names: The pattern of their names.
        others: The pattern of names that are not of this kind.
        enum: The name of the enum that has them; "" for macros and all enums.
    """

    headers: str
    names: str
    others: str = "-"
    enum: str = ""


FAMILIES: Final = {
    "O": Family("linux/fcntl.h", r"O_\w+"),
    "F": Family("linux/fcntl.h", r"F_\w+", r"F_(RDLCK|WRLCK|UNLCK|EXLCK|SHLCK|SEAL_.*|OWNER_.*|LINUX_SPECIFIC_BASE)"),
    "AT": Family("linux/fcntl.h", r"AT_(SYMLINK_\w+|NO_AUTOMOUNT|EMPTY_PATH|RECURSIVE|STATX_\w+)"),
    "AT_EACCESS": Family("linux/fcntl.h", r"AT_EACCESS"),
    "AT_REMOVEDIR": Family("linux/fcntl.h", r"AT_REMOVEDIR"),
    "AT_EXECVE": Family("linux/fcntl.h", r"AT_EXECVE_CHECK"),
    "AT_HANDLE": Family("linux/fcntl.h", r"AT_HANDLE_\w+"),
    "PROT": Family("linux/mman.h", r"PROT_\w+"),
    "MAP": Family("linux/mman.h", r"MAP_\w+", r"MAP_(HUGE_.*|FILE|TYPE|SHARED|PRIVATE|SHARED_VALIDATE|DROPPABLE)"),
    "MAP_TYPE": Family("linux/mman.h", r"MAP_(SHARED|PRIVATE|SHARED_VALIDATE|DROPPABLE)"),
    "MADV": Family("linux/mman.h", r"MADV_\w+"),
    "MREMAP": Family("linux/mman.h", r"MREMAP_\w+"),
    "MCL": Family("linux/mman.h", r"MCL_\w+"),
    "MLOCK": Family("linux/mman.h", r"MLOCK_ONFAULT"),
    "MSYNC": Family("linux/mman.h", r"MS_(ASYNC|SYNC|INVALIDATE)"),
    "MFD": Family("linux/memfd.h", r"MFD_\w+", r"MFD_HUGE_.*"),
    "MS": Family(
        "linux/mount.h",
        r"MS_\w+",
        r"MS_(ASYNC|SYNC|INVALIDATE|RMT_MASK|MGC_.*|VERBOSE|KERNMOUNT|SUBMOUNT|NOREMOTELOCK|NOSEC|BORN|ACTIVE|NOUSER)",
    ),
    "OPEN_TREE": Family("linux/mount.h", r"OPEN_TREE_\w+"),
    "MOVE_MOUNT": Family("linux/mount.h", r"MOVE_MOUNT_\w+", r"MOVE_MOUNT__MASK"),
    "FSOPEN": Family("linux/mount.h", r"FSOPEN_\w+"),
    "FSPICK": Family("linux/mount.h", r"FSPICK_\w+"),
    "FSMOUNT": Family("linux/mount.h", r"FSMOUNT_\w+"),
    "MOUNT_ATTR": Family("linux/mount.h", r"MOUNT_ATTR_\w+", r"MOUNT_ATTR_(_ATIME|SIZE.*)"),
    "FSCONFIG": Family("linux/mount.h", r"FSCONFIG_\w+", enum="fsconfig_command"),
    "CLONE": Family(
        "linux/sched.h",
        r"CLONE_\w+",
        r"CLONE_(NEWTIME|ARGS_.*|CLEAR_SIGHAND|INTO_CGROUP|AUTOREAP|NNP|PIDFD_AUTOKILL|EMPTY_MNTNS)",
    ),
    "CLONE_NEWTIME": Family("linux/sched.h", r"CLONE_NEWTIME"),
    "SCHED": Family("linux/sched.h", r"SCHED_\w+", r"SCHED_(FLAG.*|RESET_ON_FORK|GETATTR.*|ATTR.*)"),
    "SCHED_RESET": Family("linux/sched.h", r"SCHED_RESET_ON_FORK"),
    "SIG": Family("linux/signal.h", r"SIG[A-Z0-9]+", r"SIG(RTMIN|RTMAX|STKSZ|UNUSED|LOST|POLL|IOT|CLD|SWI)"),
    "SIG_HOW": Family("linux/signal.h", r"SIG_(BLOCK|UNBLOCK|SETMASK)"),
    "PTRACE": Family(
        "linux/ptrace.h",
        r"PTRACE_\w+",
        r"PTRACE_(EVENT_.*|O_.*|EVENTMSG.*|SYSCALL_INFO_.*|PEEKSIGINFO_SHARED|CFI_.*|GETFDPIC_.*)",
    ),
    "PR": Family(
        "linux/prctl.h",
        r"PR_\w+",
        r"PR_(SET_MM_.*|UNALIGN_.*|FPEMU_.*|FP_.*|TIMING_.*|ENDIAN_.*|TSC_.*|MCE_KILL_(SET|CLEAR|LATE|EARLY|DEFAULT)|"
        r"SPEC_.*|CAP_AMBIENT_.*|SVE_VL_.*|SVE_SET_VL_.*|SME_VL_.*|SME_SET_VL_.*|PAC_AP.*|TAGGED_.*|MTE_.*|PMLEN_.*|"
        r"SYS_DISPATCH_.*|SCHED_CORE_.*|MDWE_.*|VMA_.*|SET_VMA_.*|RISCV_V_VSTATE.*|RISCV_V_GET_.*MASK|RISCV_CTX_.*|"
        r"RISCV_SCOPE_.*|PPC_DEXCR_.*|SET_PTRACER_ANY|SHADOW_STACK_.*|TIMER_CREATE_RESTORE_IDS_.*|FUTEX_HASH_.*|"
        r"THP_DISABLE_.*|RSEQ_SLICE_EXT(ENSION)?_.*|CFI_.*)",
    ),
    "ARCH": Family("asm/prctl.h", r"ARCH_\w+", r"ARCH_(SHSTK_.*)"),
    "SECCOMP": Family("linux/seccomp.h", r"SECCOMP_(SET_MODE|GET)_\w+"),
    "SECCOMP_FLAG": Family("linux/seccomp.h", r"SECCOMP_FILTER_FLAG_\w+"),
    "BPF": Family("linux/bpf.h", r"BPF_\w+", r"BPF_(PROG_RUN|COMMON_ATTRS)", enum="bpf_cmd"),
    "KEYCTL": Family("linux/keyctl.h", r"KEYCTL_\w+", r"KEYCTL_(CAPS.*|SUPPORTS_.*|MOVE_EXCL)"),
    "FUTEX": Family(
        "linux/futex.h",
        r"FUTEX_\w+",
        r"FUTEX_(PRIVATE_FLAG|CLOCK_REALTIME|CMD_MASK|WAITERS|OWNER_DIED|TID_MASK|WAITV_MAX|32|"
        r"OP_.*|BITSET.*|NO_NODE|ROBUST.*|NUMA.*)",
    ),
    "FUTEX_FLAG": Family("linux/futex.h", r"FUTEX_(PRIVATE_FLAG|CLOCK_REALTIME)"),
    "PERF_FLAG": Family("linux/perf_event.h", r"PERF_FLAG_\w+"),
    "IORING_REGISTER": Family(
        "linux/io_uring.h",
        r"IORING_(UN)?REGISTER_\w+",
        r"IORING_REGISTER_(LAST|USE_REGISTERED_RING)",
        "io_uring_register_op",
    ),
    "IORING_ENTER": Family("linux/io_uring.h", r"IORING_ENTER_\w+"),
    "PER": Family("linux/personality.h", r"PER_\w+", r"PER_(EM_)?MASK"),
    "PER_FLAG": Family(
        "linux/personality.h",
        r"UNAME26|ADDR_\w+|FDPIC_\w+|MMAP_PAGE_ZERO|READ_IMPLIES_EXEC|SHORT_INODE|WHOLE_SECONDS|STICKY_\w+",
    ),
    "TIOC": Family(
        "asm/ioctls.h asm/termios.h",
        r"TIOC[A-Z0-9]+|FIO[A-Z]+|TC[A-Z0-9]+",
        r"TIOCPKT.*|TIOCSER_TEMT|TCO?(OFF|ON|IOFF|ION)|TC[IO]FLUSH|TCIOFLUSH|TCSA.*|TIOCM.*",
    ),
    "IPPROTO": Family("linux/in.h", r"IPPROTO_\w+", r"IPPROTO_(MAX)"),
    "SOL": Family("asm/socket.h", r"SOL_\w+"),
    "SOCKETCALL": Family("linux/net.h", r"SYS_\w+", r"SYS_(SECCOMP|USER_DISPATCH)"),
    "IPC": Family("linux/ipc.h", r"SEM[A-Z]+|MSG[A-Z]+|SHM[A-Z]+"),
    "S_IF": Family("linux/stat.h", r"S_IF\w+"),
    "S_IS": Family("linux/stat.h", r"S_IS(UID|GID|VTX)"),
    "WAIT": Family("linux/wait.h", r"(__)?W[A-Z]+"),
    "P": Family("linux/wait.h", r"P_(ALL|PID|PGID|PIDFD)"),
    "RLIMIT": Family("linux/resource.h", r"RLIMIT_\w+"),
    "CLOCK": Family("linux/time.h", r"CLOCK_\w+", r"CLOCK_AUX_LAST"),
    "GRND": Family("linux/random.h", r"GRND_\w+"),
    "REBOOT": Family("linux/reboot.h", r"LINUX_REBOOT_CMD_\w+"),
    "KCMP": Family("linux/kcmp.h", r"KCMP_\w+", r"KCMP_TYPES", "kcmp_type"),
    "MEMBARRIER": Family("linux/membarrier.h", r"MEMBARRIER_\w+", r"MEMBARRIER_CMD_(SHARED|FLAG.*)", "membarrier_cmd"),
    "EPOLL_CTL": Family("linux/eventpoll.h", r"EPOLL_CTL_\w+"),
    "EPOLL": Family("linux/fcntl.h linux/eventpoll.h", r"EPOLL_CLOEXEC"),
    "EFD": Family("linux/eventfd.h", r"EFD_\w+"),
    "TFD": Family("linux/timerfd.h", r"TFD_(CLOEXEC|NONBLOCK)"),
    "SFD": Family("linux/signalfd.h", r"SFD_\w+"),
    "IN": Family("linux/inotify.h", r"IN_(CLOEXEC|NONBLOCK)"),
    "SEEK": Family("linux/fs.h", r"SEEK_\w+", r"SEEK_MAX"),
    "RENAME": Family("linux/fs.h", r"RENAME_\w+"),
    "RWF": Family("linux/fs.h", r"RWF_\w+", r"RWF_(SUPPORTED|WRITE_LIFE.*)"),
    "FALLOC": Family("linux/falloc.h", r"FALLOC_FL_\w+"),
    "UFFD": Family("linux/userfaultfd.h", r"UFFD_USER_MODE_ONLY"),
    "CLOSE_RANGE": Family("linux/close_range.h", r"CLOSE_RANGE_\w+"),
    "PIDFD": Family("linux/pidfd.h", r"PIDFD_(NONBLOCK|THREAD)"),
    "KEXEC": Family("linux/kexec.h", r"KEXEC_(ON_CRASH|PRESERVE_CONTEXT|UPDATE_ELFCOREHDR|CRASH_HOTPLUG_SUPPORT)"),
    "KEXEC_FILE": Family("linux/kexec.h", r"KEXEC_FILE_\w+"),
    "MODULE_INIT": Family("linux/module.h", r"MODULE_INIT_\w+"),
    "NETLINK": Family(
        "linux/netlink.h",
        r"NETLINK_\w+",
        r"NETLINK_(ADD_.*|DROP_.*|PKTINFO|BROADCAST_.*|NO_.*|RX_.*|TX_.*|LISTEN_.*|LIST_.*|CAP_.*|"
        r"EXT_.*|GET_.*|UNCONNECTED|CONNECTED|INET_DIAG)",
    ),
}
"""By the name of a section of constants.txt."""
