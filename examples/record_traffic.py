"""Record `traffic.pcap`: real programs that communicate over one Ethernet link, and nothing else.

The capture contains ARP, IPv4 and IPv6 with neighbour discovery, errors, fragments and multicast; HTTP, TLS, DNS,
SSH, redis, DHCP, TFTP, NTP, syslog, IKE, SCTP, OSPF, rejected connections and a traceroute; spanning tree,
LLDP, CDP and VXLAN; and pings and web pages in VLAN 100, in VLAN 200 inside 100, under MPLS and in PPPoE.

    near 192.0.2.7, 192.0.2.1 ==(recorded)== gateway 192.0.2.9, .2, .3 -- far 198.51.100.1, 10.0.0.10

Every packet is sent by a kernel or a Debian program. Only the headers of the last four encapsulations are made by
this script: few kernels have all those drivers, so each is a tun or tap device at either end, and `relay` adds and
removes its headers.

Run it as root on Linux. It works in its own mount, process, host-name and network namespaces with an empty /run, so
no files or devices remain however it ends, and the capture contains nothing of the machine that records it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import selectors
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

# Commands, one per line, run in sequence in `near`; any of them may fail, since errors are traffic too.
CONVERSATIONS: Final = """
# a DHCP lease, acquired and released
busybox udhcpc -f -n -q -R -i cable -s /bin/true -x hostname:near
# ping: plain, marked as voice, in fragments, with options, over IPv6
ping -c 5 -i 0.2 192.0.2.9
ping -c 2 -i 0.2 -Q 0xb8 198.51.100.1
ping -c 2 -i 0.2 -I 192.0.2.1 10.0.0.10
ping -c 2 -i 0.2 -s 3000 192.0.2.9
ping -c 1 -R 198.51.100.1
ping -c 5 -i 0.2 2001:db8::1
ping -c 2 -i 0.2 -s 3000 2001:db8:1::1
ping -c 2 -i 0.2 ff02::1%cable
# errors: no such host, port or service; and a traceroute
ping -c 2 -W 4 198.51.100.99
ping -c 2 -W 4 2001:db8:1::99
traceroute -n -q 2 -m 4 198.51.100.1
traceroute -n -6 -q 1 -m 3 2001:db8:1::1
curl telnet://192.0.2.9:25 telnet://192.0.2.9:587 telnet://192.0.2.3:8443 telnet://198.51.100.1:6000
curl --interface 192.0.2.1 telnet://198.51.100.1:3306
ike-scan --retry=1 192.0.2.9
# DNS, with one answer too long for a datagram
dig @192.0.2.9 www.example.test A www.example.test AAAA nowhere.example.test A -x 198.51.100.1
dig @192.0.2.9 long.example.test TXT
dig @192.0.2.9 +tcp mail.example.test MX
dig @2001:db8::1 www.example.test AAAA
# web pages over HTTP and HTTPS
curl http://192.0.2.9/ http://192.0.2.9/missing http://192.0.2.9/small.txt http://10.0.0.10/small.txt
curl --data name=value&greeting=hello http://192.0.2.3/form
curl --interface 192.0.2.1 --local-port 1111 http://192.0.2.3/small.txt
curl http://192.0.2.9:8080/ http://198.51.100.1:8080/small.txt
curl http://198.51.100.1/large.txt
curl http://[2001:db8::1]/small.txt http://[2001:db8:1::1]/large.txt
curl --data-binary @/run/site/medium.txt http://198.51.100.1/form http://[2001:db8:1::1]/form
curl --insecure --tls-max 1.2 https://192.0.2.9/small.txt
curl --insecure --tlsv1.3 https://192.0.2.2/medium.txt
curl --insecure --tlsv1.3 https://198.51.100.1/small.txt https://198.51.100.1/missing
curl --insecure https://[2001:db8::1]/small.txt
# SSH, redis, TFTP, NTP, syslog and an SCTP association
ssh -F /run/ssh.conf 192.0.2.9 echo hello
ssh -F /run/ssh.conf -p 2222 192.0.2.2 true
redis-cli -h 192.0.2.9 -r 3 incr counter
busybox tftp -g -r small.txt -l /run/copy 192.0.2.9
busybox tftp -g -r medium.txt -l /run/copy -b 4000 192.0.2.9
chronyd -Q -u root -t 8 'server 192.0.2.9 iburst maxsamples 4' 'pidfile /run/clock.pid' 'cmdport 0'
logger --server 192.0.2.9 --udp --port 514 --tag demo 'a line for the log'
timeout 5 /usr/lib/usrsctp/client 192.0.2.9 13 3868
# pings and web pages in a VLAN, two VLANs, VXLAN, MPLS and PPPoE
ping -c 2 -i 0.2 10.100.0.9
curl http://10.100.0.9/medium.txt
curl --insecure --tlsv1.3 https://10.100.0.9/small.txt
curl --insecure --tls-max 1.2 https://10.100.0.9/small.txt
ping -c 2 -i 0.2 10.200.0.9
ping -c 2 -i 0.2 10.30.0.9
ping -c 2 -i 0.2 172.16.0.9
ping -c 2 -i 0.2 192.168.0.9
curl http://10.200.0.9/small.txt http://10.30.0.9/small.txt
curl http://172.16.0.9/small.txt http://192.168.0.9/small.txt
"""

SERVERS: Final = (
    ("gateway", "nginx -e stderr -c /run/nginx.conf -g 'pid /run/nginx-gateway.pid;'"),
    ("far", "nginx -e stderr -c /run/nginx.conf -g 'pid /run/nginx-far.pid;'"),
    ("gateway", "dnsmasq --keep-in-foreground --conf-file=/run/dnsmasq.conf"),
    ("gateway", "redis-server --bind 192.0.2.9 --protected-mode no --save '' --dir /run"),
    ("gateway", "/usr/sbin/sshd -D -e -f /run/sshd.conf"),
    ("gateway", "chronyd -x -d -u root -f /run/chrony.conf"),
    ("gateway", "/usr/lib/usrsctp/daytime_server"),
    ("gateway", "bird -f -c /run/bird.conf -s /run/bird-gateway.socket"),
    ("near", "bird -f -c /run/bird.conf -s /run/bird-near.socket"),
    ("near", "lldpd -d -l -ccccc -I cable -S 'a host of the example' -u /run/lldpd.socket"),
)

FILES: Final[dict[str, str]] = {
    "nginx.conf": """
        daemon off; user root; error_log stderr; events {}
        http {
            access_log off; types { text/plain txt; text/html html; }
            client_body_temp_path /run/body; root /run/site;
            ssl_certificate /run/tls; ssl_certificate_key /run/tls; ssl_protocols TLSv1.2 TLSv1.3;
            server {
                listen 80; listen 8080; listen 443 ssl; listen [::]:80; listen [::]:443 ssl;
                location /form { return 200 "thank you\\n"; }
            }
        }""",
    "dnsmasq.conf": """
        user=root
        no-resolv
        no-hosts
        interface=lan
        local=/example.test/in-addr.arpa/
        host-record=www.example.test,198.51.100.1,2001:db8:1::1
        mx-host=mail.example.test,www.example.test,10
        enable-tftp
        tftp-root=/run/site
        dhcp-leasefile=/run/leases
        dhcp-range=192.0.2.100,192.0.2.120,1h
        dhcp-range=2001:db8::,ra-only
        """
    + "\n".join(f"txt-record=long.example.test,{f'part {part} of an answer; ' * 8}" for part in range(10)),
    "sshd.conf": "ListenAddress 192.0.2.9:22\nListenAddress 192.0.2.2:2222\nPidFile none\nStrictModes no\n"
    "HostKey /run/key\nAuthorizedKeysFile /run/key.pub\n",
    "ssh.conf": "IdentityFile /run/key\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n",
    "chrony.conf": "local stratum 8\nallow\ncmdport 0\npidfile /run/chronyd.pid\n",
    "bird.conf": """
        protocol device { }
        protocol ospf v2 { ipv4; area 0 { interface "cable", "lan" { hello 3; }; }; }
        protocol ospf v3 { ipv6; area 0 { interface "cable", "lan" { hello 5; }; }; }
        """,
    "site/index.html": "<!doctype html><title>cbpf</title><p>A page to be captured.\n",
    "site/small.txt": "".join(f"{line}: a short text to be captured\n" for line in range(20)),
    "site/medium.txt": "".join(f"{line}: a longer text to be captured\n" for line in range(220)),
    "site/large.txt": "".join(f"{line}: the longest of the texts to be captured\n" for line in range(1400)),
}

# The bridge sends spanning tree frames; the smaller MTU causes "packet too big" errors.
DEVICES: Final = (
    ("near", "link add name cable address 02:00:00:00:00:01 type veth peer port netns gateway"),
    ("near", "link add vxlan type vxlan id 3 local 192.0.2.7 remote 192.0.2.9 dstport 4789 dev cable"),
    ("gateway", "link add name lan address 02:00:00:00:00:02 type bridge stp_state 1 forward_delay 200"),
    ("gateway", "link set port address 02:00:00:00:00:02 master lan"),
    ("gateway", "link add vxlan type vxlan id 3 local 192.0.2.9 remote 192.0.2.7 dstport 4789 dev lan"),
    ("gateway", "link add name wire mtu 1400 type veth peer wire mtu 1400 netns far"),
)
ADDRESSES: Final = (
    ("near", "cable", "192.0.2.7/24 192.0.2.1/24 2001:db8::7/64"),
    ("near", "vxlan", "10.30.0.7/24"),
    ("gateway", "port", ""),
    ("gateway", "lan", "192.0.2.9/24 192.0.2.2/24 192.0.2.3/24 2001:db8::1/64"),
    ("gateway", "vxlan", "10.30.0.9/24"),
    ("gateway", "wire", "198.51.100.254/24 2001:db8:1::254/64"),
    ("far", "wire", "198.51.100.1/24 10.0.0.10/32 2001:db8:1::1/64"),
)
ROUTES: Final = (
    ("near", "route add default via 192.0.2.9"),
    ("near", "route add default via 2001:db8::1"),
    ("gateway", "route add 10.0.0.10 via 198.51.100.1"),
    ("far", "route add default via 198.51.100.254"),
    ("far", "route add default via 2001:db8:1::254"),
)


class Tunnel(NamedTuple):
    """A device at both ends of the link, and the header of its frames as a function of their length in bytes."""

    device: str
    mode: Literal["tap", "tun"]
    network: str
    header: Callable[[int], bytes]

    def wrap(self, frame: bytes, addresses: bytes) -> bytes:
        """Return the link frame that contains *frame*; *addresses*, destination first, are added to that of a tun."""
        if self.mode == "tap":
            addresses, frame = frame[:12], frame[12:]
        return addresses + self.header(len(frame)) + frame

    def unwrap(self, frame: bytes) -> bytes | None:
        """Return the frame that `wrap` was called with, or None if the link frame is not from this tunnel."""
        start = 12 + len(self.header(0))
        if frame[12:start] != self.header(len(frame) - start):
            return None
        return frame[:12] + frame[start:] if self.mode == "tap" else frame[start:]


TUNNELS: Final = (
    Tunnel("vlan100", "tap", "10.100.0", lambda _: bytes.fromhex("8100 0064")),
    Tunnel("qinq", "tap", "10.200.0", lambda _: bytes.fromhex("88a8 0064 8100 00c8")),
    Tunnel("mpls", "tun", "172.16.0", lambda _: bytes.fromhex("8847 003e8140")),
    Tunnel("pppoe", "tun", "192.168.0", lambda size: struct.pack(">5H", 0x8864, 0x1100, 7, size + 2, 0x0021)),
)

PACKAGES: Final[dict[str, str]] = {
    "bird": "bird2", "busybox": "busybox", "chronyd": "chrony", "curl": "curl", "dig": "bind9-dnsutils",
    "dnsmasq": "dnsmasq-base", "ethtool": "ethtool", "ike-scan": "ike-scan", "ip": "iproute2",
    "lldpd": "lldpd", "logger": "bsdutils", "nginx": "nginx", "openssl": "openssl", "ping": "iputils-ping",
    "redis-cli": "redis-tools", "redis-server": "redis-server", "ssh": "openssh-client",
    "sshd": "openssh-server", "tcpdump": "tcpdump", "traceroute": "traceroute", "unshare": "util-linux",
    "/usr/lib/usrsctp/client": "libusrsctp-examples",
}  # fmt: skip

PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
CLONE_NEWNET: Final = 0x40000000  # linux/sched.h; then linux/if_packet.h, linux/if_ether.h, linux/if_tun.h
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING, TP_STATUS_VLAN_VALID, ETH_P_ALL = 263, 8, 23, 0x10, 3
TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0001, 0x0002, 0x1000

libc: Final = ctypes.CDLL(None)


def must(command: str) -> None:
    """Run *command*; raise `SystemExit` with its error output if it fails."""
    result = subprocess.run(shlex.split(command), capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{command}: {result.stderr.strip()}")


def start(site: str, command: str) -> subprocess.Popen[bytes]:
    """Start *command* at *site*, with its output appended to the log."""
    arguments = ["ip", "netns", "exec", site, *shlex.split(command)]
    with Path("/run/log").open("ab") as log:
        return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


@contextlib.contextmanager
def inside(site: str) -> Iterator[None]:
    """Enter the network namespace of *site*: devices and sockets opened in the block belong to it."""
    with Path("/proc/self/ns/net").open() as home, Path("/run/netns", site).open() as there:
        libc.setns(there.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


def write_files() -> None:
    """Write the configuration files, keys and pages of the servers."""
    for directory in ("site", "sshd", "lldpd"):
        Path("/run", directory).mkdir()
    for name, text in FILES.items():
        Path("/run", name).write_text(text)
    must("ssh-keygen -q -t ed25519 -N '' -C example -f /run/key")
    must("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=example.test -keyout /run/tls -out /run/tls")


def build_network() -> None:
    """Create the three sites and the links between them.

    Offloads are disabled, so frames are not merged and have valid checksums.
    """
    for site in ("near", "gateway", "far"):
        must(f"ip netns add {site}")
    for site, order in DEVICES:
        must(f"ip -n {site} {order}")
    for site, device, addresses in ADDRESSES:
        for address in addresses.split():
            must(f"ip -n {site} address add {address} dev {device}")
        must(f"ip -n {site} link set {device} up")
        must(f"ip netns exec {site} ethtool -K {device} tx off sg off tso off gso off gro off")
    for site, order in ROUTES:
        must(f"ip -n {site} {order}")
    with inside("gateway"):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")


def build_tunnels() -> None:
    """Open both ends of every tunnel, and start the relay thread."""
    near, gateway = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
    selector = selectors.DefaultSelector()
    with inside("near"):
        add_tunnels(selector, device="cable", host=7, addresses=gateway + near)
    with inside("gateway"):
        add_tunnels(selector, device="port", host=9, addresses=near + gateway)
    threading.Thread(target=relay, args=(selector,), daemon=True).start()


def add_tunnels(selector: selectors.BaseSelector, *, device: str, host: int, addresses: bytes) -> None:
    """Open this site's end of every tunnel over *device*, and register the handlers of their frames."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((device, ETH_P_ALL))
    link.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    link.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    taps = {tunnel: open_tap(tunnel, address=addresses[6:].hex(":"), host=host) for tunnel in TUNNELS}
    for tunnel, tap in taps.items():
        selector.register(tap, selectors.EVENT_READ, partial(outward, tunnel, tap, link, addresses))
    selector.register(link, selectors.EVENT_READ, partial(inward, taps, link))


def open_tap(tunnel: Tunnel, *, address: str, host: int) -> int:
    """Create and configure the device of *tunnel*; return the descriptor from which its outgoing frames are read."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    flags = (IFF_TAP if tunnel.mode == "tap" else IFF_TUN) | IFF_NO_PI
    ioctl(tap, TUNSETIFF, struct.pack("16sH22x", tunnel.device.encode(), flags))
    Path(f"/proc/sys/net/ipv6/conf/{tunnel.device}/disable_ipv6").write_text("1")
    if tunnel.mode == "tap":
        must(f"ip link set {tunnel.device} address {address}")
    must(f"ip address add {tunnel.network}.{host}/24 dev {tunnel.device}")
    must(f"ip link set {tunnel.device} up mtu 1476")
    return tap


def relay(selector: selectors.BaseSelector) -> None:
    """Forward frames between the taps and the link until the program ends."""
    while True:
        for key, _ in selector.select():
            key.data()


def outward(tunnel: Tunnel, tap: int, link: socket.socket, addresses: bytes) -> None:
    """Send the tap's next frame over the link."""
    link.send(tunnel.wrap(os.read(tap, 2048), addresses))


def inward(taps: dict[Tunnel, int], link: socket.socket) -> None:
    """Write the link's next frame to its tap, if it has one."""
    frame = receive(link)
    for tunnel, tap in taps.items():
        payload = tunnel.unwrap(frame)
        if payload is not None:
            os.write(tap, payload)


def receive(link: socket.socket) -> bytes:
    """Return the next frame as it was on the link.

    The kernel strips an outer VLAN tag and passes it as auxiliary data; it is inserted again.
    """
    frame, ancillary, _, _ = link.recvmsg(2048, socket.CMSG_SPACE(20))
    for _, _, data in ancillary:  # struct tpacket_auxdata, linux/if_packet.h
        status, _, _, _, _, tag, protocol = struct.unpack("=IIIHHHH", data)
        if status & TP_STATUS_VLAN_VALID:
            return frame[:12] + struct.pack(">HH", protocol, tag) + frame[12:]
    return frame


def start_servers() -> None:
    """Start every server and wait until all are ready; raise `SystemExit` with the log if one has ended."""
    servers = [start(site, command) for site, command in SERVERS]
    time.sleep(6)  # the bridge listens and learns for four seconds before it forwards
    if any(server.poll() is not None for server in servers):
        raise SystemExit(Path("/run/log").read_text())


def converse() -> None:
    """Run every command, and print its exit code."""
    for line in filter(None, CONVERSATIONS.splitlines()):
        status = "" if line.startswith("#") else f"[{start('near', line).wait(timeout=60)}] "
        print(status + line, flush=True)


STEPS: Final = (build_tunnels, start_servers, converse)


def record(output: Path) -> None:
    """Run every step while tcpdump records the link, and copy the capture to *output*."""
    must("mount -t tmpfs tmpfs /run")
    socket.sethostname("near")
    write_files()
    build_network()
    recorder = start("near", "tcpdump -Z root -n --immediate-mode -i cable -w /run/traffic.pcap")
    time.sleep(1)
    for step in STEPS:
        step()
    time.sleep(1)
    recorder.terminate()
    recorder.wait()
    shutil.copyfile("/run/traffic.pcap", output)


def main() -> None:
    """Check the requirements, then run this script again in its own namespaces."""
    parser = argparse.ArgumentParser(description="Record real programs talking over one Ethernet link.")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("traffic.pcap"))
    parser.add_argument("--enclosed", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.enclosed:
        record(arguments.output)
        return
    if os.geteuid() != 0:
        raise SystemExit("network namespaces and raw sockets need root")
    if missing := {PACKAGES[program] for program in PACKAGES if shutil.which(program, path=PATH) is None}:
        raise SystemExit("some programs are missing: apt-get install " + " ".join(sorted(missing)))
    enclosure = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    script = [sys.executable, __file__, "--enclosed", "--output", str(arguments.output.resolve())]
    os.execvpe(enclosure[0], enclosure + script, {"PATH": PATH, "HOME": "/run", "LANG": "C.UTF-8"})


if __name__ == "__main__":
    main()
