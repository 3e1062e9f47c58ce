// The program in the notation of the pane Code: of the worker, or of the server if it needs a compiler.

import { compileFor } from "./client.js";
import { client } from "./questions.js";
import { view } from "./state.js";

const PAUSE = 400; // ms without a change before a compiler runs
const NEEDED = "eBPF needs a compiler: open the page with cbpf explore, and install it with pip install 'cbpf[llvm]'";

let newest = 0;

/** Return the text of a program and a message; null if a newer question has replaced this one. */
export async function codeAnswer(request, notation) {
  newest += 1;
  if (!notation.startsWith("ebpf-")) return client.ask("code", { ...request, notation });
  if (!view.served.llvm) return { text: "", message: NEEDED };
  const own = newest;
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
  if (own !== newest) return null;
  const answer = await compileFor(notation, request);
  return own === newest ? answer : null;
}
