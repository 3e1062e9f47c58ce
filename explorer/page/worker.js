// The web worker: Pyodide with the core of cbpf. It answers one question after another; all texts are JSON.

import { loadPyodide } from "./pyodide/pyodide.mjs";

const ready = start();

async function start() {
  if (typeof WebAssembly === "undefined") throw new Error("this browser has no WebAssembly, which Python needs");
  const core = fetch("cbpf.zip").then(async (response) => {
    if (!response.ok) throw new Error(`cbpf.zip: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  });
  const loaded = [whenInstantiationFails(), loadPyodide({ indexURL: new URL("pyodide/", import.meta.url).href })];
  const python = await Promise.race(loaded);
  python.unpackArchive(await core, "zip", { extractDir: "/home/pyodide" });
  const answers = python.runPython("from cbpf.explorer.answers import Answers\nAnswers()");
  return { answers, toPython: python.toPy };
}

/** Return a promise that fails if the WebAssembly cannot be instantiated: Pyodide only writes a warning, and waits. */
function whenInstantiationFails() {
  const { instantiateStreaming } = WebAssembly;
  return new Promise((_, reject) => {
    WebAssembly.instantiateStreaming = (...parts) => {
      const instance = instantiateStreaming(...parts);
      instance.catch(reject);
      return instance;
    };
  });
}

ready.then(
  () => postMessage({ id: 0, answer: "{}" }),
  (error) => postMessage({ id: 0, failure: String(error.message ?? error).trim().split("\n")[0] }),
);

onmessage = async ({ data: { id, question, request, bytes, name } }) => {
  try {
    const { answers, toPython } = await ready;
    const answer = bytes ? answers.open_capture(toPython(bytes), name) : answers.answer(question, request);
    postMessage({ id, answer });
  } catch (error) {
    postMessage({ id, failure: String(error).trim().split("\n").at(-1) });
  }
};
