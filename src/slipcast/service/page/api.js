// What the service says: JSON by fetch, updates by a stream that is taken up again where it broke off.

let token = null;   // in memory only
let skewMs = 0;     // clock of the service less the clock here

const WATCHDOG_MS = 40_000;   // the service sends a heartbeat every 15 s
const LONGEST_WAIT_MS = 4_000;
const PATIENCE_MS = 20_000;   // for an answer

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function setToken(value) { token = value; }
export function hasToken() { return token !== null; }
export function serverNow() { return Date.now() + skewMs; }

const headers = (more = {}) => (token === null ? more : { ...more, Authorization: `Bearer ${token}` });

function noteClock(response, askedMs) {
  const said = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(said)) return;
  const skew = said + 500 - (askedMs + Date.now()) / 2;
  skewMs = Math.abs(skew) > 2000 ? skew : 0;   // the header counts whole seconds
}

async function ask(path) {
  const asked = Date.now();
  const response = await fetch(path, { headers: headers(), cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) });
  noteClock(response, asked);
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw new ApiError(response.status, typeof said.detail === "string" ? said.detail : `status ${response.status}`);
  }
  return response;
}

export async function getJson(path) { return (await ask(path)).json(); }
export async function getBlob(path) { return (await ask(path)).blob(); }

const seg = encodeURIComponent;
export const paths = {
  regions: () => "/api/regions",
  coast: (region) => `/api/regions/${seg(region)}/coast`,
  events: () => "/api/events?limit=50&offset=0",
  event: (id) => `/api/events/${seg(id)}`,
  records: (id) => `/api/events/${seg(id)}/records`,
  results: (id) => `/api/events/${seg(id)}/results`,
  result: (id, number) => `/api/events/${seg(id)}/results/${seg(number)}`,
  series: (id, number, gauge) => `/api/events/${seg(id)}/results/${seg(number)}/series?gauge=${seg(gauge)}`,
  file: (id, name, number) => `/api/events/${seg(id)}/export/${name}?result=${seg(number)}`,
  stream: (id) => `/api/events/${seg(id)}/stream`,
};

// One message of a stream of server-sent events: its lines to {event, data, id}; a comment has no data.
export function parseMessage(text) {
  const message = { event: "message", data: "", id: null };
  for (const line of text.split("\n")) {
    const at = line.indexOf(":");
    if (at === 0 || line === "") continue;
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (field === "data") message.data += (message.data ? "\n" : "") + value;
    else if (field === "event") message.event = value;
    else if (field === "id") message.id = value;
  }
  return message;
}

// Follow a stream until the signal says stop. EventSource can neither send a token nor show a heartbeat, so this reads the
// stream by fetch: no byte for 40 s, and it is opened again, from the last result that came.
export async function follow(path, { lastId, onEvent, onState, signal }) {
  let failures = 0;
  let last = lastId;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    let timer = setTimeout(stop, WATCHDOG_MS);
    try {
      const more = { Accept: "text/event-stream" };
      if (last !== null) more["Last-Event-ID"] = String(last);
      const response = await fetch(path, { headers: headers(more), cache: "no-store", credentials: "omit", signal: attempt.signal });
      if (!response.ok) throw new ApiError(response.status, `status ${response.status}`);
      onState("live", failures > 0);
      failures = 0;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(stop, WATCHDOG_MS);
        buffer = (buffer + value).replace(/\r\n?/g, "\n");
        const messages = buffer.split("\n\n");
        buffer = messages.pop();
        for (const message of messages.map(parseMessage)) {
          if (message.id !== null) last = message.id;
          if (message.data) onEvent(message.event, JSON.parse(message.data));
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status === 401) { onState("token"); return; }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) return;
    failures += 1;
    onState("lost");
    const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (failures - 1)) + 1000 * Math.random();   // not all pages at once
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
