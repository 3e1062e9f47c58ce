// Questions to the worker, and to the server of `cbpf explore`. Of the questions that wait, each slot keeps the newest:
// while somebody types, most of them are out of date before their turn.

const PATIENCE = 20_000; // ms after which a question is abandoned

export class Client {
  /** @param {(status: "loading" | "ready" | "busy" | "failed", detail?: string) => void} onStatus */
  constructor(onStatus) {
    this.onStatus = onStatus;
    this.waiting = new Map(); // slot -> question
    this.running = null;
    this.capture = null; // to open again in a new worker
    this.count = 0;
    this.startWorker();
  }

  startWorker() {
    this.isReady = false;
    this.onStatus("loading");
    this.worker = new Worker("worker.js", { type: "module" });
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => this.fail(event.message || "the worker cannot be loaded");
  }

  fail(message) {
    this.onStatus("failed", message);
  }

  receive({ id, answer, failure }) {
    if (id === 0) {
      if (failure) return this.fail(failure);
      this.isReady = true;
      this.onStatus("ready");
    } else if (this.running?.id === id) {
      const { resolve } = this.running;
      clearTimeout(this.running.timer);
      this.running = null;
      resolve(failure ? { error: failure } : JSON.parse(answer));
    }
    this.next();
  }

  /**
   * Ask a question; null if a newer question of the same slot has replaced it.
   * @returns {Promise<object | null>}
   */
  ask(question, request, slot = question) {
    return this.enqueue(slot, { question, request: JSON.stringify(request) });
  }

  /** Open a capture in the worker; the bytes stay in this browser. */
  async open(bytes, name) {
    const capture = { bytes, name };
    this.capture = capture;
    const answer = await this.enqueue("capture", capture);
    if (answer?.error && this.capture === capture) this.capture = null;
    return answer;
  }

  enqueue(slot, message) {
    this.waiting.get(slot)?.resolve(null);
    return new Promise((resolve) => {
      this.waiting.delete(slot);
      this.waiting.set(slot, { message, resolve });
      this.next();
    });
  }

  next() {
    if (this.running || !this.isReady) return;
    const first = this.waiting.entries().next();
    if (first.done) return this.onStatus("ready");
    const [slot, { message, resolve }] = first.value;
    this.waiting.delete(slot);
    this.count += 1;
    const timer = setTimeout(() => this.abandon(), PATIENCE);
    this.running = { id: this.count, message, resolve, timer };
    this.onStatus("busy");
    this.worker.postMessage({ id: this.count, ...message });
  }

  /**
   * End a worker that has been busy for too long, and start another one. It opens the capture before it answers the
   * questions that wait, unless the capture is what takes too long.
   */
  abandon() {
    const { message, resolve } = this.running;
    this.running = null;
    this.worker.terminate();
    resolve({ error: `the page has no answer within ${PATIENCE / 1000} seconds; the command cbpf has no such limit` });
    if (message === this.capture) this.capture = null;
    const again = this.capture ? [["capture", { message: this.capture, resolve() {} }]] : [];
    this.waiting = new Map([...again, ...this.waiting]); // a capture that waits already keeps its promise
    this.startWorker();
  }
}

const unanswered = new Map(); // slot -> the AbortController of its question to the server

/**
 * Ask the server of the page a question about all packets; null if `cancel` or a newer question of the slot ends it.
 * @returns {Promise<object | null>}
 */
export const prove = (question, request, slot = question) => askServer(`proofs/${question}`, request, slot);

/** Ask the server of the page for a program as eBPF; null if a newer question replaces it. */
export const compileFor = (target, request) => askServer(`emit/${target}`, request, "emit");

/** End the question of a slot to the server, if one has no answer yet. */
export function cancel(slot) {
  unanswered.get(slot)?.abort();
  unanswered.delete(slot);
}

async function askServer(path, request, slot) {
  cancel(slot);
  const controller = new AbortController();
  unanswered.set(slot, controller);
  const answer = await post(path, request, controller.signal);
  if (controller.signal.aborted) return null;
  unanswered.delete(slot);
  return answer;
}

async function post(path, request, signal) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
      signal,
    });
    return response.ok ? await response.json() : { error: (await response.text()).trim() };
  } catch {
    return { error: "the server of this page does not answer; start its command or notebook again, and open the new link" };
  }
}
