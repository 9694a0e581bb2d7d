import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export type DrainTimes = {
  /** How long no request must have come before the server stops accepting connections. */
  quietMs: number;
  /** How long stopping may take in all. */
  graceMs: number;
};

type Connection = { openedAt: number; answer?: ServerResponse };

const READYZ = "/readyz";
const PROBES = [READYZ, "/healthz"];
/** A load balancer that asked /readyz within this time is watching it, and has to hear that we stop before we do. */
const WATCHED_MS = 60_000;
const POLLS_PER_QUIET = 10;
const DOOR_CLOSES = 0.5;
const CUT_OFF = 0.9;

/** Stops a server without losing an answer. Call it before the app's listeners are added. */
export function createDrain(server: Server) {
  const connections = new Map<Socket, Connection>();
  const asks = createAsks();
  let isStopping = false;

  server.on("connection", (socket) => {
    connections.set(socket, { openedAt: performance.now() });
    socket.once("close", () => connections.delete(socket));
  });
  server.on("request", (req, res) => {
    asks.heard(req);
    const connection = connections.get(req.socket);
    if (isStopping) {
      // A connection ends with the first answer that says `Connection: close`, so of pipelined answers only the last
      // may.
      setClosing(connection?.answer, false);
      setClosing(res, true);
    }
    if (connection) connection.answer = res;
  });

  function closeIdle(quietMs: number): void {
    const now = performance.now();
    for (const [socket, { openedAt, answer }] of connections) {
      // The first request may be on its way on a young connection. If none comes, the time limit for headers ends it.
      if (answer ? answer.writableFinished : now - openedAt >= quietMs) socket.destroy();
    }
  }

  /**
   * Connections are still accepted at first, because a load balancer needs a moment to notice. Each connection that is
   * used meanwhile closes with its answer. So those that are idle at the end have been idle throughout and can be
   * closed.
   */
  async function drain({ quietMs, graceMs }: DrainTimes): Promise<void> {
    isStopping = true;
    for (const { answer } of connections.values()) setClosing(answer, true);
    const cutOff = setTimeout(() => {
      for (const socket of connections.keys()) socket.destroy();
    }, CUT_OFF * graceMs);
    await asks.untilQuiet(quietMs, DOOR_CLOSES * graceMs);
    // Not http's own close(): it lifts the time limits, and cuts off an answer that a slow client is still reading.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
    closeIdle(quietMs);
    await closed;
    clearTimeout(cutOff);
  }

  return { isStopping: () => isStopping, drain };
}

/** Knows when the last request came, and whether those who watch /readyz have heard that we stop. */
function createAsks() {
  let lastRequestAt = -Infinity;
  let lastWatchedAt = -Infinity;
  let toldAt: number | undefined;
  let stoppingAt: number | undefined;

  function heard(req: IncomingMessage): void {
    const [path = ""] = (req.url ?? "").split("?");
    const now = performance.now();
    if (!PROBES.includes(path)) lastRequestAt = now;
    if (path !== READYZ) return;
    lastWatchedAt = now;
    if (stoppingAt !== undefined) toldAt ??= now;
  }

  async function untilQuiet(quietMs: number, atMostMs: number): Promise<void> {
    const startedAt = (stoppingAt = performance.now());
    const isWatched = startedAt - lastWatchedAt < WATCHED_MS;
    const quietSince = () => Math.max(lastRequestAt, toldAt ?? (isWatched ? Infinity : startedAt));
    for (;;) {
      const now = performance.now();
      if (quietMs === 0 || now - quietSince() >= quietMs || now - startedAt >= atMostMs) return;
      await sleep(quietMs / POLLS_PER_QUIET);
    }
  }

  return { heard, untilQuiet };
}

function setClosing(answer: ServerResponse | undefined, isClosing: boolean): void {
  if (!answer || answer.headersSent) return;
  if (isClosing) answer.setHeader("Connection", "close");
  else answer.removeHeader("Connection");
}
