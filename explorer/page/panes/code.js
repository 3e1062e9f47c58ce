// The program in other notations, and for other targets.

import { element, replace } from "../dom.js";
import { textBlocks } from "../parts.js";

export const NOTATIONS = [
  ["function", "C (a function, as cbpf emit)"],
  ["c", "tcpdump -dd (an array of C)"],
  ["decimal", "tcpdump -ddd (decimal)"],
  ["tcpdump", "tcpdump -d (a listing)"],
  ["asm", "Assembly (bpf_asm)"],
  ["iptables", "iptables"],
  ["tc", "tc"],
  ["python", "Python"],
  ["go", "Go"],
  ["json", "JSON"],
  ["hex", "Hexadecimal"],
  ["llvm", "LLVM IR (cbpf emit)"],
  ["ebpf-xdp", "eBPF for XDP"],
  ["ebpf-tc", "eBPF for tc"],
  ["ebpf-socket", "eBPF for sockets"],
];

/** Build the pane once; the method `show` of the result sets the text. */
export function makeCodePane(pane, onChoose) {
  const choices = NOTATIONS.map(([value, text]) => element("option", { value }, text));
  const select = element("select", { id: "notation-choice", onchange: () => onChoose(select.value) }, ...choices);
  const text = element("pre", { tabindex: 0, "aria-label": "Program in the chosen notation", role: "group" });
  const note = element("span.quiet", { role: "status" });
  const copy = element("button", { type: "button", onclick: () => copyText(text.textContent, note) }, "Copy");
  replace(pane, element("div.row", {}, element("label", {}, "Notation ", select), copy, note), text);
  return {
    get notation() {
      return select.value;
    },
    show(answer) {
      note.textContent = answer.message ?? "";
      replace(text, ...textBlocks(answer.text));
    },
  };
}

export async function copyText(text, note) {
  try {
    await navigator.clipboard.writeText(text);
    note.textContent = "Copied";
  } catch {
    note.textContent = "The browser does not permit copying; select the text instead";
  }
}
