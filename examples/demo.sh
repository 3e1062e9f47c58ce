#!/bin/sh
# Filters the capture beside this script, and shows what was kept.
set -eu
cd "$(dirname "$0")"
kept=$(mktemp)
trap 'rm -f "$kept"' EXIT

echo '$ cbpf filter -r examples/traffic.pcap -w kept.pcap "tcp port 443"'
cbpf filter -r traffic.pcap -w "$kept" 'tcp port 443'
