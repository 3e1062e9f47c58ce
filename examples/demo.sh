#!/bin/sh
# Filters the capture in the folder of this script, and shows the results of the subcommands.
set -eu
capture=$(cd "$(dirname "$0")" && pwd)/traffic.pcap
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$capture" traffic.pcap

show() {
    printf '\n$'
    for word in "$@"; do
        case $word in
        *' '*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    echo
    "$@"
}

show cbpf filter -r traffic.pcap -w https.pcap 'tcp port 443'
show cbpf filter -r traffic.pcap --count 'vlan 100 and tcp port 443'
show cbpf split -r traffic.pcap 'tcp port 443=https.pcap' 'port 53=dns.pcap' --rest other.pcap
show cbpf info dns.pcap
show cbpf explain udp port 67
show cbpf compile arp
cbpf compile -dd arp >arp.c
show cbpf verify --dialect linux arp.c
show cbpf trace arp.c traffic.pcap -n 6
echo
echo "The first accepted packets:"
python - https.pcap <<'PYTHON'
import sys
from datetime import UTC, datetime
from ipaddress import ip_address

import cbpf

for packet in list(cbpf.read_capture(sys.argv[1]))[:5]:
    start, length = (26, 4) if packet.data[12:14] == b"\x08\x00" else (22, 16)
    source, target = (ip_address(packet.data[start + n * length :][:length]) for n in (0, 1))
    time = datetime.fromtimestamp(packet.time, UTC)
    print(f"  {time:%H:%M:%S.%f}  {source} > {target}, {packet.wire_length} bytes")
PYTHON
