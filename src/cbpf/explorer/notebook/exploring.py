"""`explore`: the explorer page as the output of a cell in a notebook."""

from __future__ import annotations

import cbpf

from ..._typing import TYPE_CHECKING, Any, Final, Self
from . import server
from .output import frame_output, page_output
from .packets import ShownPackets, shown_packets
from .program import page_source, page_state
from .static import static_output

if TYPE_CHECKING:
    from ...facade.arguments import LinkTypeName, ProgramSource

_HEIGHTS: Final = (200, 4_000)  # pixels


class ExplorerPage:
    """A page that shows a program and its run on packets; `explore` returns it. Notebooks display it.

    All pages of a process have one server, at a random port of 127.0.0.1, which begins with the first page that is
    displayed and ends with the process. It serves the newest 50 pages. A page is closed by `close` or at the end of a
    `with` statement; the output of its cell remains, without the interactive page.

    Args:
        state: The initial state of the page, as in links to it.
        packets: The packets that it shows.
        content: The program, its graph and the count of accepted packets as HTML.
        height: The height of the page in pixels.
        notebook: The origin and the path of the server of the notebook, where it passes requests on; empty: none does.
    """

    def __init__(
        self,
        state: dict[str, Any],
        packets: ShownPackets,
        content: str,
        height: int,
        notebook: tuple[str, str] = ("", ""),
    ) -> None:
        self._state = state
        self._packets = packets
        self._content = content
        self._height = height
        self._notebook = notebook
        self._token = ""
        self._is_closed = False

    @property
    def url(self) -> str:
        """The link to the page, with its token: for another tab or window of a browser.

        Raises:
            FieldError: The page is closed.
            MissingLibrary: cbpf-explorer is not installed.
        """
        if self._is_closed:
            raise cbpf.FieldError("ExplorerPage.url: the page is closed; call explore again")
        if not server.is_served(self._token):
            self._token = server.serve(self._state, self._packets, self._notebook[0])
        return server.link(self._token, *self._notebook)

    def close(self) -> None:
        """Stop serving the page; its output in a notebook then shows the program without the interactive page."""
        self._is_closed = True
        server.remove(self._token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ExplorerPage of {self._packets.described(self._state.get('s', ''))}>"

    def _repr_html_(self) -> str:
        """Return the program, its graph and the count of accepted packets as HTML, without the interactive page."""
        return page_output(self._content)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return the page as text with its link, and as HTML that also is complete without a server."""
        if self._is_closed:
            return {"text/plain": repr(self), "text/html": self._repr_html_()}
        try:
            url = self.url
        except cbpf.MissingLibrary as error:
            return {"text/plain": f"{self!r}: {error}", "text/html": page_output(self._content, str(error))}
        html = frame_output(self._content, url, height=self._height, notebook=self._notebook[0])
        return {"text/plain": f"{self!r}: {url}", "text/html": html}


def explore(
    program: ProgramSource,
    packets: Any = None,
    *,
    link_type: LinkTypeName | None = None,
    snaplen: int = cbpf.DEFAULT_SNAPLEN,
    netmask: str | None = None,
    dialect: cbpf.Dialect | None = None,
    optimize: bool = True,
    goal: cbpf.Goal = "size",
    live: bool = False,
    height: int = 600,
    notebook_url: str | None = None,
) -> ExplorerPage:
    """Explore a program and its run on packets in a notebook.

    The output of the cell is the page of `cbpf explore`: a text to edit, its errors, the program with the clause of
    each instruction, its graph, and its run on each packet. It needs the distribution cbpf-explorer, and a browser on
    the machine of the kernel or *notebook_url*. Without them, and in a notebook that was saved, the output is the
    program, its graph, and the number of packets that it accepts.

    Args:
        program: The program: an expression, which can be edited in the page, or instructions, which it shows as
            assembly. An expression with names of hosts, or with lists of addresses or ports, is shown as assembly too.
        packets: The packets, of which the page shows the first 1,000: the path of a capture, of which it reads 64 MB
            at most; or one packet, `bytes` or a `Packet`; or several as for `write_capture`: `Packets`, a
            `CaptureReader`, an iterable of either or of pairs of bytes and a length on the wire, or an Arrow table.
        link_type: The link type of the packets: a name, a LINKTYPE_ number, or a `LinkType`. None (the default): that
            of the capture or table, and "EN10MB" if the packets do not have one.
        snaplen: The verdict on packets that an expression accepts, as for `compile`.
        netmask: The netmask of the network for an expression, as text such as "255.255.255.0"; None: unknown.
        dialect: The dialect that verifies and runs the program, one of `DIALECTS`; None (the default): `PCAP`, and
            `LINUX` with *live*.
        optimize: Whether the page optimises the program. This and the other settings can be changed there.
        goal: The goal of the optimiser, as for `optimize`.
        live: Whether the program is for a live Linux packet socket, and runs on the packets as the socket has them.
        height: The height of the page in pixels, 200 to 4,000.
        notebook_url: The URL of the server of the notebook, such as "https://hub.example.org/user/ann/", which has the
            extension jupyter-server-proxy: the browser then reaches the page through it. None (the default): the value
            of the environment variable JUPYTERHUB_PUBLIC_URL, and without it, the browser runs on this machine.

    Returns:
        The page, which a notebook displays at the end of a cell.

    Raises:
        ExpressionError: The expression cannot be compiled.
        FieldError: An argument is invalid.
        CaptureError: The capture cannot be read.
        PacketError: A packet is not an object with the buffer protocol.
        VerificationError: The dialect rejects the program of an expression. The page shows instructions that it
            rejects, with the reasons.
        MissingLibrary: The packets are a table, and pyarrow is not installed.

    >>> explore("tcp port 443", [bytes(60), bytes(42)])
    <ExplorerPage of 'tcp port 443', 2 packets>
    """
    low, high = _HEIGHTS
    if not isinstance(height, int) or not low <= height <= high:
        raise cbpf.FieldError(f"explore.height: {height!r} is not a number of pixels ({low:,}..{high:,})")
    shown = shown_packets(packets, link_type)
    source = page_source(
        program,
        dialect or (cbpf.LINUX if live is True else cbpf.PCAP),
        link_type=shown.link_type,
        snaplen=snaplen,
        netmask=netmask or "",
        optimize=optimize,
        goal=goal,
        live=live,
    )
    notebook = server.notebook_address(notebook_url)
    state = page_state(source) | shown.state()
    return ExplorerPage(state, shown, static_output(source, shown), height, notebook)
