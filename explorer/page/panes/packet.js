// The bytes of a packet with those that the program reads, and the list of the packets of a capture.

import { arrowKeys, counted, element, hex, replace } from "../dom.js";

const MAX_SHOWN = 2_048; // bytes
const WIDE = 560; // pixels, for 16 bytes in a row

/**
 * Show the bytes of a packet.
 * @param {object} trace The answer to the question "trace".
 * @param {(step: number) => void} onStep Called with the first step that reads a byte, when it is clicked.
 */
export function showBytes(pane, trace, onStep) {
  const bytes = trace.packet.match(/../g) ?? [];
  const reads = new Map(); // byte -> first step that reads it
  trace.steps.forEach(({ fetched }, number) => {
    if (!fetched) return;
    for (let at = fetched.position; at < fetched.position + fetched.size; at += 1) if (!reads.has(at)) reads.set(at, number);
  });
  const last = trace.steps.findLast(({ fetched }) => fetched)?.fetched ?? null;
  const isDeciding = (at) => last !== null && last.position <= at && at < last.position + last.size;
  const lines = [];
  const columns = pane.clientWidth < WIDE ? 8 : 16;
  for (let start = 0; start < Math.min(bytes.length, MAX_SHOWN); start += columns) {
    const row = bytes.slice(start, start + columns);
    const spans = row.flatMap((byte, column) => {
      const at = start + column;
      const classes = [reads.has(at) ? "read" : "", isDeciding(at) ? "deciding" : ""].filter(Boolean);
      const step = reads.get(at);
      const span = classes.length
        ? element(["span", ...classes].join("."), { "data-at": at, title: `byte ${at}`, onclick: () => onStep(step) }, byte)
        : byte;
      return [span, column === 7 && columns === 16 ? "  " : " "];
    });
    const text = row.map((byte) => printable(parseInt(byte, 16))).join("");
    const gap = " ".repeat((columns - row.length) * 3 + (columns === 16 && row.length < 8 ? 1 : 0));
    lines.push(element("span.offset", {}, `${hex(start, 4)}  `), ...spans, `${gap} ${text}\n`);
  }
  const hidden = bytes.length - MAX_SHOWN;
  const facts = [
    counted(bytes.length, "byte"),
    trace.wire_length === bytes.length ? null : `${trace.wire_length.toLocaleString("en")} on the wire`,
    trace.link_type,
    ...metadataTexts(trace.metadata),
    reads.size ? `read: ${ranges([...reads.keys()])}` : "no byte is read",
    last === null ? null : `the last load, ${ranges([last.position, last.position + last.size - 1], true)}, decides`,
  ];
  replace(
    pane,
    element("p.quiet", {}, facts.filter(Boolean).join("; ")),
    element("pre.hexdump", { tabindex: 0, role: "group", "aria-label": "Bytes of the packet" }, ...lines),
    hidden > 0 ? element("p.quiet", {}, `${counted(hidden, "more byte")}`) : null,
  );
}

/** Mark the bytes that a step loads. */
export function markBytes(pane, fetched) {
  for (const span of pane.querySelectorAll("[data-at]")) {
    const at = Number(span.dataset.at);
    span.classList.toggle("now", fetched !== null && fetched.position <= at && at < fetched.position + fetched.size);
  }
}

const PACKET_TYPES = ["to this host", "broadcast", "multicast", "to another host", "outgoing"]; // linux/if_packet.h

/** Return the metadata of a packet socket as texts; those of other packets have their defaults, and no text. */
function metadataTexts({ protocol, packet_type: type, device, vlan }) {
  return [
    protocol ? `protocol 0x${hex(protocol, 4)}` : null,
    device ? (PACKET_TYPES[type] ?? `packet type ${type}`) : null,
    device?.index ? `interface ${device.index}` : null,
    vlan ? `VLAN tag ${vlan.tci & 0xfff} removed` : null,
  ];
}

const printable = (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".");

/** Return numbers as text: "12–13, 23". */
function ranges(numbers, isRange = false) {
  if (isRange) return numbers[0] === numbers[1] ? `byte ${numbers[0]}` : `bytes ${numbers[0]}–${numbers[1]}`;
  const parts = [];
  for (const number of numbers.sort((left, right) => left - right)) {
    if (parts.at(-1)?.[1] === number - 1) parts.at(-1)[1] = number;
    else parts.push([number, number]);
  }
  const texts = parts.slice(0, 20).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  return `${texts.join(", ")}${parts.length > 20 ? " …" : ""}`;
}

/** Show the packets of a capture; the marks of their verdicts follow with `markVerdicts`. */
export function showCapture(list, packets, onPacket) {
  const items = packets.map(({ number, text }) =>
    element(
      "li",
      { "data-number": number, tabindex: number === 1 ? 0 : -1, role: "option", onclick: () => onPacket(number) },
      element("span.mark", {}, " "),
      element("span.number", {}, String(number)),
      element("span", {}, text),
    ),
  );
  replace(list, ...items);
  list.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onPacket(Number(event.target.closest("li").dataset.number));
  };
  if (!list.dataset.hasKeys) arrowKeys(list, "li");
  list.dataset.hasKeys = "yes";
}

const VERDICTS = new Map([
  [undefined, [" ", ""]],
  [null, ["?", "does not fit"]],
  [true, ["✓", "accepted"]],
  [false, ["✗", "rejected"]],
]);

/** Mark each packet as accepted (✓), rejected (✗) or not fitting (?). */
export function markVerdicts(list, verdicts) {
  [...list.children].forEach((item, index) => {
    const verdict = verdicts?.[index];
    const mark = item.firstChild;
    const [sign, word] = VERDICTS.get(verdict === undefined || verdict === null ? verdict : Boolean(verdict));
    mark.textContent = sign;
    mark.className = verdict ? "mark accept" : "mark";
    for (const [name, value] of [["role", "img"], ["aria-label", word]]) {
      if (word) mark.setAttribute(name, value);
      else mark.removeAttribute(name);
    }
  });
}

export function markCurrent(list, number) {
  for (const item of list.children) {
    const isCurrent = Number(item.dataset.number) === number;
    for (const name of ["aria-current", "aria-selected"]) item.setAttribute(name, String(isCurrent));
    if (isCurrent) reveal(list, item);
  }
}

/** Scroll a list, but not the page, so that an item of it is visible. */
function reveal(list, item) {
  const frame = list.getBoundingClientRect();
  const box = item.getBoundingClientRect();
  if (box.top < frame.top || box.bottom > frame.bottom) list.scrollTop += box.top - frame.top - (frame.height - box.height) / 2;
}
