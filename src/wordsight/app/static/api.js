// Every call to the server: one place that knows its addresses, its errors and its silence.

/** What the server, or the page before it, has against a request: one sentence. */
export class Refusal extends Error {
  constructor(sentence, status = 0) {
    super(sentence);
    this.status = status;
  }
}

/** The server did not answer at all. */
export class Gone extends Refusal {}

let onSilence = () => {};
let onRevision = () => {};

/** Say what happens when the server is silent, and when a reply tells another revision. */
export function listen({ silence, revision }) {
  onSilence = silence;
  onRevision = revision;
}

async function call(path, { read = (response) => response.json(), ...options } = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const gone = new Gone("The explorer’s server does not answer.");
    onSilence(gone);
    throw gone;
  }
  if (response.status === 204) return null;
  let answer;
  try {
    answer = await (response.ok ? read(response) : response.json());
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(`The server’s answer (${response.status}) could not be read; try again.`, response.status);
  }
  if (!response.ok) {
    throw new Refusal(sentence(answer.error ?? `the server answered ${response.status}`), response.status);
  }
  if (typeof answer.revision === "number") onRevision(answer.revision);
  return answer;
}

/** Errors are written like the terminal's, in lower case; the page starts sentences with a capital. */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const post = (path, body, signal) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

export const api = {
  health: () => call("/api/health"),
  session: () => call("/api/session"),
  map: (since) => call(since ? `/api/map?since=${encodeURIComponent(since)}` : "/api/map"),
  gate: () => call("/api/gate"),
  about: (i, signal) => call(`/api/images/${i}/about`, { signal }),
  imageAddress: (i) => `/api/images/${i}`,
  setThreshold: (value) => post("/api/threshold", { value }),
  classifyStored: (i, signal) => post("/api/classify", { i }, signal),
  classifyUpload: (blob, signal) =>
    call("/api/classify", { method: "POST", headers: { "Content-Type": blob.type || "image/x-unknown" }, body: blob, signal }),
  preview: (name, description) => post("/api/teach/preview", { name, description }),
  teach: (name, description) => post("/api/teach", { name, description }),
  forget: (name) => post("/api/forget", { name }),
  undo: () => post("/api/undo", {}),
  save: (name) => post("/api/save", { name }),
  ask: (word, k, signal) => post("/api/ask", { word, k }, signal),
  prototype: (word, signal) =>
    call(`/api/prototype?word=${encodeURIComponent(word)}`, { signal, read: (response) => response.blob() }),
};
