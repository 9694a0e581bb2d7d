import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

type Direction = "request" | "reply";

/** A wire to Redis that breaks where a test wants it to. */
export type Proxy = {
  port: number;
  /** From now on only so many bytes pass that way; then the connection is reset, or nothing moves any more. */
  breakAfter(direction: Direction, bytes: number, how: "reset" | "silence"): void;
  /** Nothing moves any more on the connections that there are, and nobody is told; new ones work. */
  silenceOld(): void;
  /** From now on every chunk arrives so much later. */
  delay(oneWayMs: () => number): void;
  /** From now on every chunk arrives so many bytes at a time. */
  slice(bytes: number): void;
  /** Ends every connection; new ones work. */
  drop(): void;
  /** Ends every connection, and refuses new ones. */
  refuse(): Promise<void>;
  /** Ends every fault, and every connection that it may have touched. */
  heal(): void;
  /** Ends every fault for new connections; the old ones stay as they are. */
  forget(): void;
  /** Accepts connections again. */
  accept(): Promise<void>;
  stop(): Promise<void>;
};

const AT_ONCE = () => 0;
const WHOLE = Infinity;

export async function startProxy(targetPort: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const silenceOnes = new Set<() => void>();
  let fault: { direction: Direction; bytes: number; how: "reset" | "silence" } | undefined;
  let [delayMs, sliceBytes] = [AT_ONCE, WHOLE];

  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    let isSilent = false;
    const silence = () => {
      isSilent = true;
    };
    const reset = () => {
      client.destroy();
      target.destroy();
    };
    const forward = (direction: Direction, to: Socket) => {
      const pass = createPassage(to);
      return (chunk: Buffer) => {
        if (isSilent) return;
        if (fault?.direction !== direction || chunk.length < fault.bytes) {
          if (fault?.direction === direction) fault.bytes -= chunk.length;
          pass(chunk, delayMs(), sliceBytes);
          return;
        }
        to.write(chunk.subarray(0, fault.bytes));
        if (fault.how === "silence") isSilent = true;
        // What was let through must arrive before the connection ends.
        else to.end(reset);
      };
    };
    client.on("data", forward("request", target));
    target.on("data", forward("reply", client));
    silenceOnes.add(silence);
    client.on("close", () => silenceOnes.delete(silence));
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", reset);
      socket.on("close", () => {
        sockets.delete(socket);
        reset();
      });
    }
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;

  const forget = () => {
    fault = undefined;
    [delayMs, sliceBytes] = [AT_ONCE, WHOLE];
  };
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  const refuse = async () => {
    drop();
    server.close();
    await once(server, "close");
  };
  return {
    port,
    breakAfter(direction, bytes, how) {
      fault = { direction, bytes, how };
    },
    silenceOld() {
      for (const silence of silenceOnes) silence();
    },
    delay(oneWayMs) {
      delayMs = oneWayMs;
    },
    slice(bytes) {
      sliceBytes = bytes;
    },
    drop,
    refuse,
    heal() {
      forget();
      drop();
    },
    forget,
    accept: () => listen(port),
    stop: refuse,
  };
}

/** Of each chunk. Who stumbles over slices does so soon, and all of what INFO answers would keep the machine busy. */
const SLICES_MAX = 64;

/** Writes chunks in the order they came, however late and in whatever pieces; at once where neither is asked for. */
function createPassage(to: Socket): (chunk: Buffer, delayMs: number, sliceBytes: number) => void {
  let waiting = 0;
  let passed = Promise.resolve();

  async function passSlowly(chunk: Buffer, dueAt: number, sliceBytes: number): Promise<void> {
    await sleep(Math.max(0, dueAt - Date.now()));
    const slicedBytes = Math.min(chunk.length, SLICES_MAX * sliceBytes);
    for (let at = 0; at < slicedBytes && to.writable; at += sliceBytes) {
      to.write(chunk.subarray(at, at + sliceBytes));
      await nextTurn();
    }
    if (to.writable) to.write(chunk.subarray(slicedBytes));
    waiting -= 1;
  }

  return (chunk, delayMs, sliceBytes) => {
    if (waiting === 0 && delayMs === 0 && sliceBytes >= chunk.length) {
      to.write(chunk);
      return;
    }
    waiting += 1;
    const dueAt = Date.now() + delayMs;
    passed = passed.then(() => passSlowly(chunk, dueAt, sliceBytes));
  };
}
