// The worker of this page, and the line that says what it does.

import { Client } from "./client.js";
import { byId } from "./dom.js";

const PATIENCE = 500; // ms of work without a word: a line that changes at each key disturbs, above all when it is read aloud

let saying = 0;

export const client = new Client((status, detail) => {
  const texts = { loading: "Loading Python …", ready: "Ready", busy: "Working …", failed: `Cannot start: ${detail}` };
  const say = () => byId("status").textContent !== texts[status] && (byId("status").textContent = texts[status]);
  clearTimeout(saying);
  if (status === "busy") saying = setTimeout(say, PATIENCE);
  else say();
  document.body.dataset.status = status;
});
