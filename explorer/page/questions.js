// The worker of this page, and the line that says what it does.

import { Client } from "./client.js";
import { byId } from "./dom.js";

export const client = new Client((status, detail) => {
  const texts = { loading: "Loading Python …", ready: "Ready", busy: "Working …", failed: `Cannot start: ${detail}` };
  if (byId("status").textContent !== texts[status]) byId("status").textContent = texts[status];
  document.body.dataset.status = status;
});
