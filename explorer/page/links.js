// The state of the page in the fragment of its URL. The form is described in src/cbpf/explorer/links.py.

export const MAX_FRAGMENT = 8_000; // characters
const MAX_STATE = 1_000_000; // bytes
const VERSION = "1";

async function through(stream, bytes, limit) {
  const parts = [];
  let size = 0;
  const writer = stream.writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  written.catch(() => {}); // the reader reports the error
  const reader = stream.readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > limit) {
      await reader.cancel();
      throw new Error("too large");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Return the fragment of a state, without "#"; null if it would be too long, or if the state is too large to be read. */
export async function toFragment(state) {
  const text = new TextEncoder().encode(JSON.stringify(state));
  if (text.length > MAX_STATE) return null;
  let packed;
  try {
    packed = await through(new CompressionStream("deflate-raw"), text, MAX_FRAGMENT);
  } catch {
    return null;
  }
  const base64 = btoa(String.fromCharCode(...packed));
  const fragment = `${VERSION}.${base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  return fragment.length > MAX_FRAGMENT ? null : fragment;
}

/** Return the state of a fragment; throw an Error with one line if it has none. */
export async function fromFragment(fragment) {
  if (!fragment.startsWith(`${VERSION}.`)) throw new Error("this link is of an unknown version");
  if (fragment.length > MAX_FRAGMENT) throw new Error("this link is too long");
  try {
    const packed = fragment.slice(VERSION.length + 1);
    if (!/^[\w-]*$/.test(packed)) throw new Error("not base64url");
    const binary = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const text = await through(new DecompressionStream("deflate-raw"), bytes, MAX_STATE);
    return parseState(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text));
  } catch {
    throw new Error("this link is truncated or corrupt");
  }
}

/** Return the state of a JSON text; throw an Error if it is not an object. */
export function parseState(text) {
  const state = JSON.parse(text);
  if (state === null || typeof state !== "object" || Array.isArray(state)) throw new Error("not an object");
  return state;
}
