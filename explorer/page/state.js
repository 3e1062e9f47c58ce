// What a link contains, and what the panes have in common.

export const TABS = ["program", "graph", "passes", "code", "compare", "proofs"];

/** The state of the page, which a link contains. */
export const state = {
  text: "",
  other: "",
  linkType: "EN10MB",
  dialect: "pcap",
  optimize: true,
  snaplen: 0, // the default
  netmask: "", // unknown
  goal: "size",
  live: false,
  tab: "program",
  packet: null,
  sample: "", // the name of the capture, if the site of the page has it
};

/** The answers that the panes show. */
export const view = {
  program: null,
  clauses: [],
  blocks: [],
  trace: null,
  steps: [],
  step: -1,
  traced: null, // the packet of the steps as it was in `state`, its bytes and its length on the wire
  packets: [],
  hasCapture: false,
  captureFacts: [],
  served: {},
};

const settings = (text) => ({
  text,
  link_type: state.linkType,
  dialect: state.dialect,
  optimize: state.optimize,
  snaplen: state.snaplen,
  netmask: state.netmask,
  goal: state.goal,
  live: state.live,
});

/** Return the first source with its settings, as the questions need it. */
export const source = () => settings(state.text);

/** Return the second source, or null if its text is empty. */
export const other = () => (state.other.trim() ? settings(state.other) : null);

/** Return a value of a link if it is text. */
export const asText = (value, otherwise) => (typeof value === "string" ? value : otherwise);

const followers = new Map(); // what changes -> functions

/** Call a function whenever "source" or "other" has changed. Modules that change a source need not import the panes. */
export const whenChanged = (what, follow) => followers.set(what, [...(followers.get(what) ?? []), follow]);

/** Announce that a source or its settings have changed; the promise ends when everything is shown. */
export const changed = (what) => Promise.all((followers.get(what) ?? []).map((follow) => follow()));
