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

/** Ask the server of `cbpf explore` a question about all packets. */
export const prove = (question, request) => askServer(`proofs/${question}`, request);

/** Ask the server of `cbpf explore` for a program as eBPF. */
export const compileFor = (target, request) => askServer(`emit/${target}`, request);

async function askServer(path, request) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
    });
    return response.ok ? await response.json() : { error: (await response.text()).trim() };
  } catch {
    return { error: "the server of this page does not answer; start its command or notebook again, and open the new link" };
  }
}
