import { eventually } from "./client";

export type Message = { id: string; data: Record<string, unknown> };

/** A stream of server-sent events, read as it comes. */
export type EventStream = {
  status: number;
  headers: Headers;
  messages: Message[];
  /** Waits for so many messages that the condition holds of, and returns them. */
  until(condition: (message: Message) => boolean, count?: number): Promise<Message[]>;
  /** Resolves when the other side has closed it. */
  ended: Promise<void>;
  /** Leaves. */
  stop(): void;
};

export async function openEvents(
  url: string,
  token: string,
  { query = "", headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<EventStream> {
  const leaving = new AbortController();
  const response = await fetch(`${url}/api/ops/events${query}`, {
    headers: { Authorization: `Bearer ${token}`, ...headers },
    signal: leaving.signal,
  });
  const messages: Message[] = [];

  async function read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n\n");
      rest = parts.pop() ?? "";
      messages.push(...parts.flatMap(readMessage));
    }
  }

  return {
    ...{ status: response.status, headers: response.headers, messages },
    async until(condition, count = 1) {
      await eventually(() => Promise.resolve(messages.filter(condition).length >= count));
      return messages.filter(condition);
    },
    // Where it is cut off rather than ended, too.
    ended: read().catch(() => undefined),
    stop() {
      leaving.abort();
    },
  };
}

function readMessage(text: string): Message[] {
  const [, id, data] = /^id: ([^\n]*)\ndata: ([^\n]*)$/.exec(text) ?? [];
  return id === undefined || data === undefined ? [] : [{ id, data: JSON.parse(data) as Message["data"] }];
}
