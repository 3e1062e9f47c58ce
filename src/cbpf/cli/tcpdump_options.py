"""The options of tcpdump that the commands for captures do not have."""

from .._typing import Final

TCPDUMP_OPTIONS: Final = {
    "cbpf compile prints programs": "-d",
    "cbpf capture captures packets": "-i -I -D -p -B -j -J -L -Q -U --interface"
    " --list-interfaces --immediate-mode --monitor-mode --no-promiscuous-mode --buffer-size --time-stamp-type",
    "cbpf print prints packets": "-A -b -e -f -H -K -l -m -M -N -S -t -T -u -v -x -X"
    " -# --number --print --packet-buffered",
    "cbpf does not decrypt packets; tcpdump -r - prints the output": "-E",
    "cbpf filter -w FILE rotates files by size and time": "-C -G -W",
    "cbpf filter --snaplen N writes at most N bytes of each packet": "-s --snapshot-length",
    "the link type is that of the capture": "-y --linktype",
    "several captures are read with several -r": "-V",
    "cbpf needs no privileges to read captures": "-Z --relinquish-privileges",
    "run other programs on the output when cbpf has ended": "-z",
    "cbpf filter -r CAPTURE -F FILE reads an expression from a file": "-F",
    "CAPTURE is an argument, without an option": "-r",
    "cbpf filter -w FILE writes a capture": "-w",
    "cbpf filter -c COUNT stops after COUNT packets": "-c",
}
"""The options, by the alternative; a command reports only those that it does not have itself."""
