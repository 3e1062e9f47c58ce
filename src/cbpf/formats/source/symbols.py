"""The names of constants in source code, with their values in Linux on x86_64.

Sources: linux/bpf_common.h, linux/filter.h, linux/seccomp.h, linux/audit.h, linux/if_ether.h, linux/if_arp.h,
linux/if_packet.h, netinet/in.h, bits/socket.h, asm-generic/errno.h, and Go's package math; the constants of Go's
package golang.org/x/net/bpf are those of `isa`.
"""

import re
from functools import cache

from ..._typing import Final
from ...isa.enumerations import ALUOp, Extension, JumpTest, Register
from .system_calls import system_calls

# By prefix: the rest of each name, and its value.
_CONSTANTS: Final = {
    "BPF_": """
        A=0x10 ABS=0x20 ADD=0x0 ALU=0x4 AND=0x50 B=0x10 DIV=0x30 H=0x8 IMM=0x0 IND=0x40 JA=0x0 JEQ=0x10 JGE=0x30
        JGT=0x20 JMP=0x5 JSET=0x40 K=0x0 LD=0x0 LDX=0x1 LEN=0x80 LL_OFF=-0x200000 LSH=0x60 MAJOR_VERSION=0x1
        MAXINSNS=0x1000 MEM=0x60 MEMWORDS=0x10 MINOR_VERSION=0x1 MISC=0x7 MOD=0x90 MSH=0xa0 MUL=0x20 NEG=0x80
        NET_OFF=-0x100000 OR=0x40 RET=0x6 RSH=0x70 ST=0x2 STX=0x3 SUB=0x10 TAX=0x0 TXA=0x80 W=0x0 X=0x8 XOR=0xa0
    """,
    "SKF_": """
        AD_ALU_XOR_X=40 AD_CPU=36 AD_HATYPE=28 AD_IFINDEX=8 AD_MARK=20 AD_MAX=64 AD_NLATTR=12 AD_NLATTR_NEST=16
        AD_OFF=-0x1000 AD_PAY_OFFSET=52 AD_PKTTYPE=4 AD_PROTOCOL=0 AD_QUEUE=24 AD_RANDOM=56 AD_RXHASH=32
        AD_VLAN_TAG=44 AD_VLAN_TAG_PRESENT=48 AD_VLAN_TPID=60 LL_OFF=-0x200000 NET_OFF=-0x100000
    """,
    "SECCOMP_RET_": """
        ACTION=0x7fff0000 ACTION_FULL=0xffff0000 ALLOW=0x7fff0000 DATA=0xffff ERRNO=0x50000 KILL=0x0
        KILL_PROCESS=0x80000000 KILL_THREAD=0x0 LOG=0x7ffc0000 TRACE=0x7ff00000 TRAP=0x30000
        USER_NOTIF=0x7fc00000
    """,
    "AUDIT_ARCH_": """
        AARCH64=0xc00000b7 ALPHA=0xc0009026 ARCOMPACT=0x4000005d ARCOMPACTBE=0x5d ARCV2=0x400000c3 ARCV2BE=0xc3
        ARM=0x40000028 ARMEB=0x28 C6X=0x4000008c C6XBE=0x8c CRIS=0x4000004c CSKY=0x400000fc FRV=0x5441
        H8300=0x2e HEXAGON=0xa4 I386=0x40000003 IA64=0xc0000032 LOONGARCH32=0x40000102 LOONGARCH64=0xc0000102
        M32R=0x58 M68K=0x4 MICROBLAZE=0xbd MIPS=0x8 MIPS64=0x80000008 MIPS64N32=0xa0000008 MIPSEL=0x40000008
        MIPSEL64=0xc0000008 MIPSEL64N32=0xe0000008 NDS32=0x400000a7 NDS32BE=0xa7 NIOS2=0x40000071 OPENRISC=0x5c
        PARISC=0xf PARISC64=0x8000000f PPC=0x14 PPC64=0x80000015 PPC64LE=0xc0000015 RISCV32=0x400000f3
        RISCV64=0xc00000f3 S390=0x16 S390X=0x80000016 SH=0x2a SH64=0x8000002a SHEL=0x4000002a SHEL64=0xc000002a
        SPARC=0x2 SPARC64=0x8000002b TILEGX=0xc00000bf TILEGX32=0x400000bf TILEPRO=0x400000bc UNICORE=0x4000006e
        X86_64=0xc000003e XTENSA=0x5e
    """,
    "ETH_P_": """
        1588=0x88f7 8021AD=0x88a8 8021AH=0x88e7 8021Q=0x8100 80221=0x8917 802_2=0x4 802_3=0x1 802_3_MIN=0x600
        802_EX1=0x88b5 AARP=0x80f3 AF_IUCV=0xfbfb ALL=0x3 AOE=0x88a2 ARCNET=0x1a ARP=0x806 ATALK=0x809b
        ATMFATE=0x8884 ATMMPOA=0x884c AX25=0x2 BATMAN=0x4305 BPQ=0x8ff CAIF=0xf7 CAN=0xc CANFD=0xd CANXL=0xe
        CFM=0x8902 CONTROL=0x16 CUST=0x6006 DDCMP=0x6 DEC=0x6000 DIAG=0x6005 DNA_DL=0x6001 DNA_RC=0x6002
        DNA_RT=0x6003 DSA=0x1b DSA_8021Q=0xdadb DSA_A5PSW=0xe001 ECONET=0x18 EDSA=0xdada ERSPAN=0x88be
        ERSPAN2=0x22eb ETHERCAT=0x88a4 FCOE=0x8906 FIP=0x8914 HDLC=0x19 HSR=0x892f IBOE=0x8915 IEEE802154=0xf6
        IEEEPUP=0xa00 IEEEPUPAT=0xa01 IFE=0xed3e IP=0x800 IPV6=0x86dd IPX=0x8137 IRDA=0x17 LAT=0x6004
        LINK_CTL=0x886c LLDP=0x88cc LOCALTALK=0x9 LOOP=0x60 LOOPBACK=0x9000 MACSEC=0x88e5 MAP=0xf9 MCTP=0xfa
        MOBITEX=0x15 MPLS_MC=0x8848 MPLS_UC=0x8847 MRP=0x88e3 MVRP=0x88f5 NCSI=0x88f8 NSH=0x894f PAE=0x888e
        PAUSE=0x8808 PHONET=0xf5 PPPTALK=0x10 PPP_DISC=0x8863 PPP_MP=0x8 PPP_SES=0x8864 PREAUTH=0x88c7
        PROFINET=0x8892 PRP=0x88fb PUP=0x200 PUPAT=0x201 QINQ1=0x9100 QINQ2=0x9200 QINQ3=0x9300 RARP=0x8035
        REALTEK=0x8899 SCA=0x6007 SLOW=0x8809 SNAP=0x5 TDLS=0x890d TEB=0x6558 TIPC=0x88ca TRAILER=0x1c
        TR_802_2=0x11 TSN=0x22f0 WAN_PPP=0x7 WCCP=0x883e X25=0x805 XDSA=0xf8
    """,
    "ETHERTYPE_": """
        AARP=0x80f3 ARP=0x806 AT=0x809b IP=0x800 IPV6=0x86dd IPX=0x8137 LOOPBACK=0x9000 NTRAILER=0x10 PUP=0x200
        REVARP=0x8035 SPRITE=0x500 TRAIL=0x1000 VLAN=0x8100
    """,
    "ETH_": """
        ALEN=6 HLEN=14
    """,
    "IPPROTO_": """
        AH=51 BEETPH=94 COMP=108 DCCP=33 DSTOPTS=60 EGP=8 ENCAP=98 ESP=50 ETHERNET=143 FRAGMENT=44 GRE=47
        HOPOPTS=0 ICMP=1 ICMPV6=58 IDP=22 IGMP=2 IP=0 IPIP=4 IPV6=41 MH=135 MPLS=137 MPTCP=262 MTP=92 NONE=59
        PIM=103 PUP=12 RAW=255 ROUTING=43 RSVP=46 SCTP=132 TCP=6 TP=29 UDP=17 UDPLITE=136
    """,
    "ARPOP_": """
        InREPLY=9 InREQUEST=8 NAK=10 REPLY=2 REQUEST=1 RREPLY=4 RREQUEST=3
    """,
    "ARPHRD_": """
        6LOWPAN=825 ADAPT=264 APPLETLK=8 ARCNET=7 ASH=781 ATM=19 AX25=3 BIF=775 CAIF=822 CAN=280 CHAOS=5
        CISCO=513 CSLIP=257 CSLIP6=259 DDCMP=517 DLCI=15 ECONET=782 EETHER=2 ETHER=1 EUI64=27 FCAL=785
        FCFABRIC=787 FCPL=786 FCPP=784 FDDI=774 FRAD=770 HDLC=513 HIPPI=780 HWX25=272 IEEE1394=24 IEEE802=6
        IEEE80211=801 IEEE80211_PRISM=802 IEEE80211_RADIOTAP=803 IEEE802154=804 IEEE802154_MONITOR=805
        IEEE802_TR=800 INFINIBAND=32 IP6GRE=823 IPDDP=777 IPGRE=778 IRDA=783 LAPB=516 LOCALTLK=773 LOOPBACK=772
        MCTP=290 METRICOM=23 NETLINK=824 NETROM=0 NONE=65534 PHONET=820 PHONET_PIPE=821 PIMREG=779 PPP=512
        PRONET=4 RAWHDLC=518 RAWIP=519 ROSE=270 RSRVD=260 SIT=776 SKIP=771 SLIP=256 SLIP6=258 TUNNEL=768
        TUNNEL6=769 VOID=65535 VSOCKMON=826 X25=271
    """,
    "math.": """
        MaxInt16=0x7fff MaxInt32=0x7fffffff MaxInt8=0x7f MaxUint16=0xffff MaxUint32=0xffffffff MaxUint8=0xff
    """,
    "PACKET_": """
        BROADCAST=1 HOST=0 MULTICAST=2 OTHERHOST=3 OUTGOING=4
    """,
    "AF_": """
        ALG=38 APPLETALK=5 ASH=18 ATMPVC=8 ATMSVC=20 AX25=3 BLUETOOTH=31 BRIDGE=7 CAIF=37 CAN=29 DECnet=12
        ECONET=19 FILE=1 IB=27 IEEE802154=36 INET=2 INET6=10 IPX=4 IRDA=23 ISDN=34 IUCV=32 KCM=41 KEY=15 LLC=26
        LOCAL=1 MAX=46 MCTP=45 MPLS=28 NETBEUI=13 NETLINK=16 NETROM=6 NFC=39 PACKET=17 PHONET=35 PPPOX=24
        QIPCRTR=42 RDS=21 ROSE=11 ROUTE=16 RXRPC=33 SECURITY=14 SMC=43 SNA=22 TIPC=30 UNIX=1 UNSPEC=0 VSOCK=40
        WANPIPE=25 X25=9 XDP=44
    """,
    "E": """
        2BIG=7 ACCES=13 ADDRINUSE=98 ADDRNOTAVAIL=99 ADV=68 AFNOSUPPORT=97 AGAIN=11 ALREADY=114 BADE=52 BADF=9
        BADFD=77 BADMSG=74 BADR=53 BADRQC=56 BADSLT=57 BFONT=59 BUSY=16 CANCELED=125 CHILD=10 CHRNG=44 COMM=70
        CONNABORTED=103 CONNREFUSED=111 CONNRESET=104 DEADLK=35 DEADLOCK=35 DESTADDRREQ=89 DOM=33 DOTDOT=73
        DQUOT=122 EXIST=17 FAULT=14 FBIG=27 HOSTDOWN=112 HOSTUNREACH=113 HWPOISON=133 IDRM=43 ILSEQ=84
        INPROGRESS=115 INTR=4 INVAL=22 IO=5 ISCONN=106 ISDIR=21 ISNAM=120 KEYEXPIRED=127 KEYREJECTED=129
        KEYREVOKED=128 L2HLT=51 L2NSYNC=45 L3HLT=46 L3RST=47 LIBACC=79 LIBBAD=80 LIBEXEC=83 LIBMAX=82 LIBSCN=81
        LNRNG=48 LOOP=40 MEDIUMTYPE=124 MFILE=24 MLINK=31 MSGSIZE=90 MULTIHOP=72 NAMETOOLONG=36 NAVAIL=119
        NETDOWN=100 NETRESET=102 NETUNREACH=101 NFILE=23 NOANO=55 NOBUFS=105 NOCSI=50 NODATA=61 NODEV=19 NOENT=2
        NOEXEC=8 NOKEY=126 NOLCK=37 NOLINK=67 NOMEDIUM=123 NOMEM=12 NOMSG=42 NONET=64 NOPKG=65 NOPROTOOPT=92
        NOSPC=28 NOSR=63 NOSTR=60 NOSYS=38 NOTBLK=15 NOTCONN=107 NOTDIR=20 NOTEMPTY=39 NOTNAM=118
        NOTRECOVERABLE=131 NOTSOCK=88 NOTSUP=95 NOTTY=25 NOTUNIQ=76 NXIO=6 OPNOTSUPP=95 OVERFLOW=75
        OWNERDEAD=130 PERM=1 PFNOSUPPORT=96 PIPE=32 PROTO=71 PROTONOSUPPORT=93 PROTOTYPE=91 RANGE=34 REMCHG=78
        REMOTE=66 REMOTEIO=121 RESTART=85 RFKILL=132 ROFS=30 SHUTDOWN=108 SOCKTNOSUPPORT=94 SPIPE=29 SRCH=3
        SRMNT=69 STALE=116 STRPIPE=86 TIME=62 TIMEDOUT=110 TOOMANYREFS=109 TXTBSY=26 UCLEAN=117 UNATCH=49
        USERS=87 WOULDBLOCK=11 XDEV=18 XFULL=54
    """,
}
_ARCHITECTURE_BITS: Final = {
    "__AUDIT_ARCH_64BIT": 0x80000000,
    "__AUDIT_ARCH_LE": 0x40000000,
    "__X32_SYSCALL_BIT": 0x40000000,
    "X32_SYSCALL_BIT": 0x40000000,
}
_SYSTEM_CALL_PREFIXES: Final = ("__NR_", "SYS_")

# The offset and the size of the fields of a structure, in order.
_STRUCTURES: Final = {
    ("seccomp_data",): "nr:4 arch:4 instruction_pointer:8 args:48",
    ("ethhdr",): "h_dest:6 h_source:6 h_proto:2",
    ("ether_header",): "ether_dhost:6 ether_shost:6 ether_type:2",
    ("iphdr",): "ihl:1 tos:1 tot_len:2 id:2 frag_off:2 ttl:1 protocol:1 check:2 saddr:4 daddr:4",
    ("ip",): "ip_hl:1 ip_tos:1 ip_len:2 ip_id:2 ip_off:2 ip_ttl:1 ip_p:1 ip_sum:2 ip_src:4 ip_dst:4",
    ("ipv6hdr",): "version:1 flow_lbl:3 payload_len:2 nexthdr:1 hop_limit:1 saddr:16 daddr:16",
    ("ip6_hdr",): "ip6_flow:4 ip6_plen:2 ip6_nxt:1 ip6_hlim:1 ip6_src:16 ip6_dst:16",
    ("udphdr",): "source:2 dest:2 len:2 check:2",
    ("icmphdr",): "type:1 code:1 checksum:2 rest:4",
    ("icmp6_hdr", "icmp6hdr"): "icmp6_type:1 icmp6_code:1 icmp6_cksum:2 icmp6_data:4",
    ("arphdr",): "ar_hrd:2 ar_pro:2 ar_hln:1 ar_pln:1 ar_op:2",
    ("nlmsghdr",): "nlmsg_len:4 nlmsg_type:2 nlmsg_flags:2 nlmsg_seq:4 nlmsg_pid:4",
}
_BIT_FIELDS: Final = {"ihl", "ip_hl", "version"}  # they have no offset in C
_ELEMENT_SIZES: Final = {"args": 8}


class Structure(dict[str, tuple[int, int]]):
    """The offset and the size of each field of a structure, by name."""

    size = 0


@cache
def structures() -> dict[str, Structure]:
    """Return the structures by name."""
    found = {}
    for names, fields in _STRUCTURES.items():
        structure = Structure()
        for field in fields.split():
            name, _, size = field.partition(":")
            if name not in _BIT_FIELDS:
                structure[name] = structure.size, _ELEMENT_SIZES.get(name, int(size))
            structure.size += int(size)
        found.update(dict.fromkeys(names, structure))
    return found


@cache
def _constants() -> dict[str, int]:
    values = dict(_ARCHITECTURE_BITS)
    for prefix, text in _CONSTANTS.items():
        pairs = (pair.split("=") for pair in text.split())
        values |= {prefix + name: int(value, 0) for name, value in pairs}
    values |= {name.replace("AF_", "PF_"): value for name, value in values.items() if name.startswith("AF_")}
    return values | _go_constants()


def _go_constants() -> dict[str, int]:
    """Return the constants of Go's package bpf, and of the enumerations of cbpf, such as `JumpTest.EQUAL`."""
    values: dict[str, int] = {}
    for kind, prefix in ((ALUOp, "ALUOp"), (JumpTest, "Jump"), (Extension, "Ext"), (Register, "Reg")):
        for member in kind:
            words = "".join(part.capitalize() for part in member.name.split("_"))
            values[prefix + words] = values[f"{kind.__name__}.{member.name}"] = int(member)
    renamed = {"RxHash": "RXHash", "CpuId": "CPUID", "VlanTag": "VLANTag", "VlanTagPresent": "VLANTagPresent"}
    renamed |= {"VlanProto": "VLANProto"}
    return values | {"Ext" + name: values["Ext" + word] for word, name in renamed.items()}


def find_constant(name: str) -> int | None:
    """Return the value of a constant, whose name may have a path, such as `libc::BPF_LD`; None if it is unknown."""
    parts = re.split(r"::|\.", name)
    for candidate in (".".join(parts[-2:]), parts[-1]):
        if candidate in _constants():
            return _constants()[candidate]
    return _system_call(parts[-1])


def _system_call(name: str) -> int | None:
    for prefix in _SYSTEM_CALL_PREFIXES:
        if name.startswith(prefix):
            call = name.removeprefix(prefix)
            return system_calls().get(call, system_calls().get(call.lower()))
    return None


def is_system_call(name: str) -> bool:
    """Return whether a name is that of a system call's number, which depends on the architecture."""
    return re.split(r"::|\.", name)[-1].startswith(_SYSTEM_CALL_PREFIXES)
