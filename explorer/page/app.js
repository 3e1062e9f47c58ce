// The page: its state, and what is asked and shown when it changes.

import { Client, prove } from "./client.js";
import { byId, counted, element, replace } from "./dom.js";
import { createEditor } from "./editor.js";
import { fromFragment, toFragment } from "./links.js";
import { copyText, makeCodePane, showComparison, showPasses } from "./panes/code.js";
import { markGraph, showGraph } from "./panes/graph.js";
import { markClause, markPath, showProgram } from "./panes/listing.js";
import { markBytes, markCurrent, markVerdicts, showBytes, showCapture } from "./panes/packet.js";
import { makeProofsPane } from "./panes/proofs.js";
import { showTrace } from "./panes/trace.js";

const TABS = ["program", "graph", "passes", "code", "compare", "proofs"];
const MAX_LINKED = 4_000; // hexadecimal digits of a packet in a link
const MAX_CAPTURE = 64_000_000; // bytes that are read of a capture
const PAUSE = 600; // ms without a key before a solver runs
const LINK_TYPES = ["EN10MB", "RAW", "LINUX_SLL", "LINUX_SLL2", "NULL", "IEEE802_11", "IEEE802_11_RADIO", "PPP"];

/** What a link contains, and what the panes have in common. */
const state = { text: "", other: "", linkType: "EN10MB", dialect: "pcap", optimize: true, tab: "program", packet: null };
const view = {
  program: null, // the answers that the panes show
  clauses: [],
  blocks: [],
  trace: null,
  steps: [],
  step: -1,
  packetHex: "",
  wireLength: 0,
  packets: [],
  hasCapture: false,
  captureFacts: [],
  served: {},
};

const client = new Client((status, detail) => {
  const texts = { loading: "Loading Python …", ready: "Ready", busy: "Working …", failed: `Cannot start: ${detail}` };
  if (byId("status").textContent !== texts[status]) byId("status").textContent = texts[status];
  document.body.dataset.status = status;
});

const editor = createEditor(byId("editor"), {
  label: "Expression or program",
  hint: "tcp port 443, or a program in any notation",
  onChange: (text) => {
    state.text = text;
    refresh();
  },
  onHover: (offset) => linkClause(offset === null ? null : clauseAt(offset), false),
});
const otherEditor = createEditor(byId("other-editor"), {
  label: "Second source",
  hint: "tcp dst port 443",
  onChange: (text) => {
    state.other = text;
    refreshOther();
  },
  onHover: () => {},
});
const code = makeCodePane(byId("pane-code"), () => refreshTab());

const settings = (text) => ({ text, link_type: state.linkType, dialect: state.dialect, optimize: state.optimize });
const source = () => settings(state.text);
const other = () => (state.other.trim() ? settings(state.other) : null);

// Sources

let saving = 0;

/** Ask everything that depends on the source. */
async function refresh() {
  saveSoon();
  const checked = await client.ask("check", { source: source() });
  if (checked === null) return;
  if (checked.error) return showProblems([{ start: 0, end: 0, message: checked.error, suggestion: "" }], [], checked);
  showProblems(checked.problems, [], checked);
  if (checked.problems.length) return forgetProgram();
  await Promise.all([refreshProgram(), refreshTab(), refreshTrace(), refreshVerdicts(), refreshFindings(checked)]);
}

async function refreshProgram() {
  const answer = await client.ask("program", { source: source() });
  if (!answer || answer.error) return;
  view.program = answer;
  view.clauses = answer.clauses;
  showProgram(byId("pane-program"), answer, (clause) => linkClause(clause, true));
  byId("notation").textContent = `${byId("notation").dataset.notation}, ${counted(answer.lines.length, "instruction")}`;
  markStep();
}

let proving = 0;

/** Show the findings of the linter; a little later those that need a solver, if the server has one. */
async function refreshFindings(checked) {
  clearTimeout(proving);
  const asked = source();
  const answer = await client.ask("lint", { source: asked });
  if (!answer || answer.error) return;
  showProblems([], answer.findings, checked);
  if (!view.served.proofs || checked.notation !== "expression") return;
  proving = setTimeout(async () => {
    const proved = await prove("lint", { source: asked });
    if (!proved.error && JSON.stringify(asked) === JSON.stringify(source())) showProblems([], proved.findings, checked);
  }, PAUSE);
}

async function refreshTab() {
  const pane = byId(`pane-${state.tab}`);
  const request = { source: source() };
  if (state.tab === "graph") {
    const answer = await client.ask("graph", { ...request, heat: view.hasCapture });
    if (!answer) return;
    if (answer.error) return replace(pane, element("p", {}, answer.error));
    view.blocks = answer.blocks;
    showGraph(pane, answer);
    markStep();
  } else if (state.tab === "passes") {
    const answer = await client.ask("passes", request);
    if (answer) answer.error ? replace(pane, element("p", {}, answer.error)) : showPasses(pane, answer);
  } else if (state.tab === "code") {
    const answer = await client.ask("code", { ...request, notation: code.notation });
    if (answer) code.show(answer.error ? { text: "", message: answer.error } : answer);
  } else if (state.tab === "compare") {
    if (!other()) return replace(pane, element("p", {}, "Enter a second source, below the first, to compare them."));
    const answer = await client.ask("compare", { ...request, other: other() });
    if (answer) answer.error ? replace(pane, element("p", {}, answer.error)) : showComparison(pane, answer, choosePacket);
  }
}

async function refreshOther() {
  saveSoon();
  const checked = other() ? await client.ask("check", { source: other() }, "check-other") : { problems: [] };
  if (checked === null) return;
  const problems = (checked.problems ?? []).map((problem) => ({ ...problem, severity: "error" }));
  otherEditor.problems = problems;
  replace(byId("other-problems"), ...problems.map((problem) => problemItem(problem, otherEditor)));
  await refreshTab();
}

function forgetProgram() {
  view.clauses = [];
  byId("notation").textContent = `${byId("notation").dataset.notation}; the panes show the last program without errors`;
}

function showProblems(problems, findings, checked) {
  const errors = problems.map((problem) => ({ ...problem, severity: "error" }));
  const found = findings.map((finding) => ({ ...finding, message: `${finding.fact}; ${finding.rule}` }));
  const warned = (checked.warnings ?? []).map((message) => ({ start: 0, end: 0, message, severity: "warning" }));
  const shown = [...errors, ...warned, ...found];
  const severities = { error: "error", warning: "warning", note: "info" };
  editor.problems = shown.map((problem) => ({ ...problem, severity: severities[problem.severity] ?? "info" }));
  replace(byId("problems"), ...shown.slice(0, 50).map((problem) => problemItem(problem, editor)));
  byId("notation").dataset.notation = checked.notation === "program" ? "A program" : "An expression";
}

function problemItem(problem, target) {
  const { start, message, severity, suggestion, identifier, is_equivalent: isEquivalent, packet } = problem;
  const go = element("button", { type: "button", onclick: () => target.select(start) }, "Show");
  const rewrite = suggestion
    ? element(
        "button",
        { type: "button", title: suggestion, onclick: () => (target.text = suggestion) },
        `${isEquivalent ? "Shorten" : "Write"}: ${suggestion.slice(0, 80)}`,
      )
    : null;
  const show = packet
    ? element(
        "button",
        { type: "button", onclick: () => showPacket({ hex: packet, wire_length: problem.wire_length }) },
        "Show a packet that makes a difference",
      )
    : null;
  const name = identifier ? ` [${identifier}]` : "";
  return element(`li.${severity}`, {}, element("strong", {}, `${severity}: `), `${message}${name} `, go, " ", rewrite, " ", show);
}

// Clauses

function clauseAt(offset) {
  const index = view.clauses.findIndex(({ start, end }) => start <= offset && offset <= end);
  return index < 0 ? null : index;
}

function linkClause(clause, inSource) {
  markClause(byId("pane-program"), clause);
  const span = clause === null ? null : view.clauses[clause];
  if (inSource || clause === null) editor.linked = span ? [[span.start, span.end]] : [];
}

// Packets

async function refreshTrace() {
  if (state.packet === null) return replace(byId("trace"), element("p.quiet", {}, "Open a capture, or enter the bytes of a packet."));
  const answer = await client.ask("trace", { source: source(), packet: state.packet });
  if (!answer) return;
  byId("packet-error").textContent = answer.error && answer.error !== "the source has errors" ? answer.error : "";
  if (answer.error) return;
  view.steps = answer.steps;
  view.packetHex = answer.packet;
  view.wireLength = answer.wire_length;
  saveSoon();
  const lines = view.program?.lines.length ? view.program.lines : [];
  showBytes(byId("packet-bytes"), answer, chooseStep);
  view.trace = showTrace(byId("trace"), answer, lines, chooseStep);
  chooseStep(answer.steps.length - 1);
}

function chooseStep(number) {
  view.step = number;
  markStep();
}

/** Show the chosen step in all panes. */
function markStep() {
  const step = view.steps[view.step];
  if (!step) return;
  const taken = view.steps.slice(0, view.step + 1);
  view.trace.select(view.step);
  markBytes(byId("packet-bytes"), step.fetched);
  markPath(byId("pane-program"), new Set(taken.map(({ index }) => index)), step.index);
  if (state.tab === "graph") markGraph(byId("pane-graph"), view.blocks, taken);
}

async function refreshVerdicts() {
  if (!view.hasCapture) return;
  const answer = await client.ask("verdicts", { source: source() });
  if (!answer) return;
  markVerdicts(byId("capture-list"), answer.verdicts);
  const facts = answer.error ?? `${answer.accepted.toLocaleString("en")} of ${counted(answer.listed, "packet")} accepted`;
  byId("capture-facts").textContent = [facts, ...view.captureFacts].join("; ");
}

async function openCapture(bytes, name) {
  byId("capture-facts").textContent = `Reading ${name} …`;
  const answer = await client.open(bytes, name);
  if (!answer) return;
  view.hasCapture = !answer.error;
  view.captureFacts = [answer.has_more ? "more packets follow" : "", answer.damage ?? ""].filter(Boolean);
  if (answer.error) {
    byId("capture-facts").textContent = answer.error;
    return replace(byId("capture-list"));
  }
  showCapture(byId("capture-list"), answer.packets, choosePacket);
  view.packets = answer.packets;
  byId("capture-facts").textContent = counted(answer.packets.length, "packet");
  if (answer.packets.length) await choosePacket(1, false);
  await refresh();
}

async function openFile(file) {
  const bytes = new Uint8Array(await file.slice(0, MAX_CAPTURE).arrayBuffer());
  if (file.name.endsWith(".cbpf.json")) return openState(new TextDecoder().decode(bytes));
  await openCapture(bytes, file.name);
}

async function choosePacket(number, asks = true) {
  const { link_type: linkType } = view.packets[number - 1];
  state.packet = { number };
  markCurrent(byId("capture-list"), number);
  if (linkType !== state.linkType) {
    state.linkType = byId("link-type").value = linkType;
    if (asks) return refresh();
  }
  if (asks) await refreshTrace();
}

function enterPacket() {
  const digits = byId("packet-hex").value.replace(/0x|[\s:,]/gi, "");
  const length = Number(byId("wire-length").value);
  state.packet = digits ? { hex: digits, link_type: state.linkType, ...(length > 0 ? { wire_length: length } : {}) } : null;
  markCurrent(byId("capture-list"), 0);
  saveSoon();
  refreshTrace();
}

function showPacket({ hex, wire_length: length }) {
  byId("packet-form").hidden = false;
  byId("edit-packet").setAttribute("aria-expanded", "true");
  byId("packet-hex").value = hex.replace(/../g, "$& ").trim();
  byId("wire-length").value = length === hex.length / 2 ? "" : length;
  enterPacket();
}

// Links

function linkState() {
  const { text, other: second, linkType, dialect, optimize, tab, packet } = state;
  const result = { s: text };
  if (second) result.o = second;
  if (linkType !== "EN10MB") result.y = linkType;
  if (dialect !== "pcap") result.d = dialect;
  if (!optimize) result.O = 0;
  if (tab !== "program") result.t = tab;
  if (packet && view.packetHex && view.packetHex.length <= MAX_LINKED) {
    result.p = view.packetHex;
    if (view.wireLength !== view.packetHex.length / 2) result.w = view.wireLength;
  }
  return result;
}

function saveSoon() {
  clearTimeout(saving);
  saving = setTimeout(saveLink, 300);
}

async function saveLink() {
  const fragment = await toFragment(linkState());
  history.replaceState(null, "", fragment === null ? location.pathname : `#${fragment}`);
  byId("copy-link").textContent = fragment === null ? "Download state" : "Copy link";
}

async function shareLink() {
  await saveLink();
  if (byId("copy-link").textContent === "Copy link") return copyText(location.href, byId("status"));
  const blob = new Blob([JSON.stringify(linkState())], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(blob), download: "explorer.cbpf.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function openState(text) {
  try {
    apply(JSON.parse(text));
  } catch {
    byId("packet-error").textContent = "this file is not a state of the page";
  }
}

const asText = (value, otherwise) => (typeof value === "string" ? value : otherwise);

/** Take a state of a link, a file or the server. Unknown keys and values of other types are ignored. */
function apply(given) {
  state.text = asText(given.s, "");
  state.other = asText(given.o, "");
  state.linkType = asText(given.y, "EN10MB");
  state.dialect = [...byId("dialect").options].some(({ value }) => value === given.d) ? given.d : "pcap";
  state.optimize = given.O !== 0;
  editor.text = state.text;
  otherEditor.text = state.other;
  byId("other-part").open = Boolean(state.other);
  byId("link-type").value = state.linkType;
  byId("dialect").value = state.dialect;
  byId("optimize").checked = state.optimize;
  chooseTab(TABS.includes(given.t) ? given.t : "program");
  if (typeof given.p === "string") showPacket({ hex: given.p, wire_length: Number(given.w) || given.p.length / 2 });
  refresh();
}

// Controls

function chooseTab(name) {
  state.tab = name;
  for (const tab of TABS) {
    byId(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
    byId(`pane-${tab}`).hidden = tab !== name;
  }
}

for (const name of TABS) {
  byId(`tab-${name}`).addEventListener("click", () => {
    chooseTab(name);
    saveLink();
    refreshTab();
  });
}
byId("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const target = byId(`tab-${TABS[(TABS.indexOf(state.tab) + step + TABS.length) % TABS.length]}`);
  target.focus();
  target.click();
});
byId("dialect").addEventListener("change", () => {
  state.dialect = byId("dialect").value;
  refresh();
});
byId("optimize").addEventListener("change", () => {
  state.optimize = byId("optimize").checked;
  refresh();
});
byId("link-type").addEventListener("change", () => {
  state.linkType = byId("link-type").value.trim() || "EN10MB";
  if (state.packet?.hex) enterPacket();
  refresh();
});
byId("copy-link").addEventListener("click", shareLink);
byId("theme").addEventListener("click", () => {
  const isDark = getComputedStyle(document.documentElement).colorScheme.includes("light dark")
    ? matchMedia("(prefers-color-scheme: dark)").matches
    : document.documentElement.dataset.theme === "dark";
  document.documentElement.dataset.theme = isDark ? "light" : "dark";
});
byId("capture-file").addEventListener("change", () => byId("capture-file").files[0] && openFile(byId("capture-file").files[0]));
byId("edit-packet").addEventListener("click", () => {
  const isOpen = byId("packet-form").hidden;
  byId("packet-form").hidden = !isOpen;
  byId("edit-packet").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) byId("packet-hex").focus();
});
byId("packet-hex").addEventListener("input", enterPacket);
byId("wire-length").addEventListener("input", enterPacket);
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
});
window.addEventListener("hashchange", begin);

// Start

async function begin() {
  if (location.hash.length < 2) return apply(view.served.state ?? {});
  try {
    apply(await fromFragment(location.hash.slice(1)));
  } catch (error) {
    apply({});
    byId("packet-error").textContent = `${error.message}; the page begins empty`;
  }
}

async function start() {
  chooseTab("program");
  replace(byId("dialect"), ...["pcap", "linux", "seccomp", "freebsd", "netbsd", "openbsd", "macos"].map((name) => element("option", { value: name }, name)));
  replace(byId("link-types"), ...LINK_TYPES.map((value) => element("option", { value })));
  view.served = await fetch("served.json").then((response) => response.json());
  makeProofsPane(byId("pane-proofs"), view.served.proofs, () => ({ source: source(), other: other() }), showPacket);
  await begin();
  const { version } = await client.ask("choices", {});
  byId("version").textContent = `cbpf ${version}, in this browser`;
  if (view.served.capture !== null) {
    const response = await fetch("capture");
    if (response.ok) await openCapture(new Uint8Array(await response.arrayBuffer()), view.served.capture);
    else byId("capture-facts").textContent = (await response.text()).trim();
  }
}

start();
