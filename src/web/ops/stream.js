// Follows /api/ops/events. EventSource would hide why it isn't connected, so the stream is read by hand.

import { request } from "./api.js";

const RETRY_MS = { first: 500, most: 10_000 };
/** Three heartbeats: a connection that says nothing for so long is none. */
const SILENCE_MS = 45_000;

/**
 * Calls `onEvent` with every event from now on, and with the `recent` ones before. After an interruption it goes on where
 * it was. `onState` hears "connected", or why it isn't. Returns what stops it.
 */
export function follow({ onEvent, onState, recent = 0 }) {
  const stop = new AbortController();
  void run();
  return () => stop.abort();

  async function run() {
    let [last, waitMs] = ["", RETRY_MS.first];
    const isStopped = () => stop.signal.aborted;
    while (!isStopped()) {
      try {
        await readOnce(last, (event) => {
          last = event.id;
          onEvent(event);
        });
      } catch (error) {
        if (isStopped()) return;
        if (error.status === 401 || error.status === 403) return;
        if (error.status !== undefined) onState(wordsFor(error));
      }
      if (isStopped()) return;
      await pause(waitMs);
      waitMs = Math.min(waitMs * 2, RETRY_MS.most);
    }

    async function readOnce(after, deliver) {
      const query = after === "" && recent > 0 ? `?recent=${recent}` : "";
      const headers = { Accept: "text/event-stream", ...(after !== "" && { "Last-Event-ID": after }) };
      const silence = new AbortController();
      const signal = AbortSignal.any([stop.signal, silence.signal]);
      const response = await request("GET", `/api/ops/events${query}`, { headers, signal });
      onState("connected");
      waitMs = RETRY_MS.first;
      let timer = setTimeout(() => silence.abort(), SILENCE_MS);
      try {
        for await (const event of eventsIn(response.body, () => {
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENCE_MS);
        })) {
          deliver(event);
        }
      } finally {
        clearTimeout(timer);
        if (!isStopped()) onState("The connection ended. Trying again …");
      }
    }
  }
}

const wordsFor = ({ code, message }) =>
  code === "denylist_unavailable"
    ? "Not connected: Redis can’t be reached. Trying again …"
    : `Not connected. ${message} Trying again …`;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The events of a stream: blocks of lines with a blank line after each. Comments are heartbeats. */
async function* eventsIn(body, onSign) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onSign();
    text += decoder.decode(value, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice("data:".length))
        .join("\n");
      if (data !== "") yield JSON.parse(data);
    }
  }
}
