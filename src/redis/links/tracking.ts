import { inTime, outsideBudgets, TIME_UP } from "../budget";
import { createNode, keepConnecting, type NodeAddress } from "./node-link";
import { deadAfterMs, endUnanswered } from "./pulse";

/** What Redis tells about keys. */
export type TrackingListener = {
  /** From now on every change is told. What changed before may never be. */
  armed: () => void;
  /** Keys were written, deleted or have expired. */
  touched: (keys: readonly Buffer[]) => void;
  /** A whole database was emptied. */
  flushed: () => void;
  /** The connection has ended: nothing is told until it is armed again. */
  lost: () => void;
  /** Redis doesn't know client tracking, or doesn't allow it. It is tried again. */
  refused: (error: Error) => void;
};

export type Tracking = {
  /** Ends the connection, on which nothing comes any more, and makes another one. */
  renew(): void;
  close(): void;
};

const CHANNEL = "__redis__:invalidate";
const TRY_AGAIN_MS = 5000;

/**
 * Client tracking in broadcast mode, on one connection that redirects to itself. Redis forgets it with the connection,
 * and what it redirects to a connection that has ended is lost without a word: so each new connection is armed anew.
 */
export function trackKeys(
  address: NodeAddress,
  timeoutMs: number,
  prefixes: readonly string[],
  listener: TrackingListener,
): Tracking {
  // A connection that has subscribed may not arm.
  const client = createNode(address, timeoutMs, { autoResubscribe: false });
  const limitMs = deadAfterMs(timeoutMs);
  let isClosing = false;

  async function arm(): Promise<void> {
    const id = await client.client("ID");
    const tracked = prefixes.flatMap((prefix) => ["PREFIX", prefix]);
    await client.call("CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST", ...tracked);
    await client.subscribe(CHANNEL);
  }

  async function begin(): Promise<void> {
    const connection = client.stream;
    const isSame = () => client.stream === connection && client.status === "ready";
    try {
      await inTime(limitMs, arm);
      if (isSame()) listener.armed();
    } catch (error) {
      if (!(error instanceof Error) || !isSame()) return;
      if (error.message === TIME_UP) {
        connection.destroy();
        return;
      }
      listener.refused(error);
      // Some of it may have worked, and can't be done twice on one connection.
      setTimeout(() => {
        if (isSame()) client.disconnect(true);
      }, TRY_AGAIN_MS).unref();
    }
  }

  client.on("ready", () => void outsideBudgets(begin));
  client.on("close", listener.lost);
  // Why Redis can't be reached is reported by who asks it.
  client.on("error", () => undefined);
  client.on("messageBuffer", (_channel: Buffer, message: unknown) => {
    // Whoever may publish there could send anything else.
    if (message === null) listener.flushed();
    else if (Array.isArray(message)) listener.touched(message as Buffer[]);
  });
  keepConnecting(client, () => isClosing);
  endUnanswered(client, limitMs);

  return {
    renew() {
      client.stream.destroy();
    },
    close() {
      isClosing = true;
      client.disconnect();
    },
  };
}
