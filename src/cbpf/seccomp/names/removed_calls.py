"""System calls that kernels no longer have: the supplement of the library system-calls, which has the present ones.

Source: asm/unistd.h of Linux 6.1, of each architecture; the tests compare.
"""

from ..._typing import Final

_REMOVED: Final = {
    "x86_64": """
        uselib=134 _sysctl=156 create_module=174 get_kernel_syms=177 query_module=178 nfsservctl=180 getpmsg=181
        putpmsg=182 afs_syscall=183 tuxcall=184 security=185 vserver=236
    """,
    "i386": """
        break=17 stty=31 gtty=32 ftime=35 prof=44 lock=53 mpx=56 ulimit=58 uselib=86 profil=98 idle=112
        create_module=127 get_kernel_syms=130 bdflush=134 afs_syscall=137 _sysctl=149 query_module=167
        nfsservctl=169 getpmsg=188 putpmsg=189 vserver=273
    """,
    "x32": """
        getpmsg=1073742005 putpmsg=1073742006 afs_syscall=1073742007 tuxcall=1073742008 security=1073742009
    """,
    "arm64": """
        nfsservctl=42
    """,
    "riscv64": """
        nfsservctl=42
    """,
    "arm": """
        uselib=86 bdflush=134 _sysctl=149 nfsservctl=169 vserver=313 arm_sync_file_range=341
    """,
    "s390x": """
        uselib=86 idle=112 create_module=127 get_kernel_syms=130 bdflush=134 afs_syscall=137 _sysctl=149
        query_module=167 nfsservctl=169 getpmsg=188 putpmsg=189
    """,
    "s390": """
        uselib=86 idle=112 create_module=127 get_kernel_syms=130 bdflush=134 afs_syscall=137 _sysctl=149
        query_module=167 nfsservctl=169 getpmsg=188 putpmsg=189
    """,
    "powerpc64": """
        break=17 stty=31 gtty=32 ftime=35 prof=44 lock=53 mpx=56 ulimit=58 uselib=86 profil=98 idle=112
        create_module=127 get_kernel_syms=130 bdflush=134 afs_syscall=137 _sysctl=149 query_module=166
        nfsservctl=168 getpmsg=187 putpmsg=188 tuxcall=225
    """,
    "powerpc": """
        break=17 stty=31 gtty=32 ftime=35 prof=44 lock=53 mpx=56 ulimit=58 uselib=86 profil=98 idle=112
        create_module=127 get_kernel_syms=130 bdflush=134 afs_syscall=137 _sysctl=149 query_module=166
        nfsservctl=168 getpmsg=187 putpmsg=188 tuxcall=225
    """,
    "mipso32": """
        break=4017 stty=4031 gtty=4032 ftime=4035 prof=4044 lock=4053 mpx=4056 ulimit=4058 uselib=4086 profil=4098
        idle=4112 create_module=4127 get_kernel_syms=4130 bdflush=4134 afs_syscall=4137 _sysctl=4153
        query_module=4187 nfsservctl=4189 getpmsg=4208 putpmsg=4209 vserver=4277
    """,
    "mips64": """
        _sysctl=5152 create_module=5167 get_kernel_syms=5170 query_module=5171 nfsservctl=5173 getpmsg=5174
        putpmsg=5175 afs_syscall=5176 vserver=5236
    """,
    "mips64n32": """
        _sysctl=6152 create_module=6167 get_kernel_syms=6170 query_module=6171 nfsservctl=6173 getpmsg=6174
        putpmsg=6175 afs_syscall=6176 vserver=6240
    """,
    "loongarch64": """
        nfsservctl=42
    """,
}
"""By the name of a table of the library: names and numbers."""


def removed_calls(table: str) -> dict[str, int]:
    """Return the numbers, by name, of the removed calls of a table of the library."""
    pairs = (word.split("=") for word in _REMOVED[table].split())
    return {name: int(number) for name, number in pairs}
