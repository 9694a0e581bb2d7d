import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

type Direction = "request" | "reply";

/** A wire to Redis that breaks where a test wants it to. */
export type Proxy = {
  port: number;
  /** From now on only so many bytes pass that way; then the connection is reset, or nothing moves any more. */
  breakAfter(direction: Direction, bytes: number, how: "reset" | "silence"): void;
  /** Ends the fault, and every connection that it may have touched. */
  heal(): void;
  /** Ends the fault for new connections; the old ones stay as they are. */
  forget(): void;
  stop(): Promise<void>;
};

export async function startProxy(targetPort: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let fault: { direction: Direction; bytes: number; how: "reset" | "silence" } | undefined;

  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    let isSilent = false;
    const reset = () => {
      client.destroy();
      target.destroy();
    };
    const forward = (direction: Direction, to: Socket) => (chunk: Buffer) => {
      if (isSilent) return;
      if (fault?.direction !== direction || chunk.length < fault.bytes) {
        if (fault?.direction === direction) fault.bytes -= chunk.length;
        to.write(chunk);
        return;
      }
      to.write(chunk.subarray(0, fault.bytes));
      if (fault.how === "silence") isSilent = true;
      // What was let through must arrive before the connection ends.
      else to.end(reset);
    };
    client.on("data", forward("request", target));
    target.on("data", forward("reply", client));
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", reset);
      socket.on("close", () => {
        sockets.delete(socket);
        reset();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const dropAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    breakAfter(direction, bytes, how) {
      fault = { direction, bytes, how };
    },
    heal() {
      fault = undefined;
      dropAll();
    },
    forget() {
      fault = undefined;
    },
    async stop() {
      dropAll();
      server.close();
      await once(server, "close");
    },
  };
}
