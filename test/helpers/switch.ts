import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A name that leads to a Redis, and later to another one. */
export type Switch = {
  port: number;
  /** Ends all connections; new ones lead there. */
  leadTo(port: number): void;
  /**
   * Clients notice nothing: their connections stay, and from one command on the other Redis answers, to which they are
   * introduced as to the first. Resolves when it answers all of them.
   */
  failOverTo(port: number): Promise<void>;
  stop(): Promise<void>;
};

type Wire = { end(): void; failOver(): Promise<void> };

export async function startSwitch(firstPort: number): Promise<Switch> {
  const wires = new Set<Wire>();
  let targetPort = firstPort;
  const server = createServer((client) => {
    const wire = createWire(client, () => connect(targetPort, "127.0.0.1").setNoDelay());
    wires.add(wire);
    client.on("close", () => wires.delete(wire));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const endAll = () => {
    for (const wire of wires) wire.end();
  };
  return {
    port: (server.address() as AddressInfo).port,
    leadTo(port) {
      targetPort = port;
      endAll();
    },
    async failOverTo(port) {
      targetPort = port;
      await Promise.all([...wires].map((wire) => wire.failOver()));
    },
    async stop() {
      endAll();
      server.close();
      await once(server, "close");
    },
  };
}

function createWire(client: Socket, reachTarget: () => Socket): Wire {
  const introduction: Buffer[] = [];
  let unsent = Buffer.alloc(0);
  const end = () => {
    client.destroy();
    target.destroy();
  };
  const reach = () => reachTarget().on("error", end).on("close", end);
  const answer = (chunk: Buffer) => {
    if (chunk.length > 0) client.write(chunk);
  };
  let target = reach().on("data", answer);

  // Whole commands only, so that between any two of them another Redis can take over.
  client.on("data", (chunk) => {
    unsent = Buffer.concat([unsent, chunk]);
    for (let length = lengthOfFirst(unsent); length !== undefined; length = lengthOfFirst(unsent)) {
      const command = unsent.subarray(0, length);
      unsent = unsent.subarray(length);
      if (INTRODUCES.test(command.toString("latin1"))) introduction.push(command);
      target.write(command);
    }
  });
  client.setNoDelay().on("error", end).on("close", end);

  return {
    end,
    async failOver() {
      // Who hasn't introduced itself yet does it again.
      if (introduction.length === 0) {
        end();
        return;
      }
      client.pause();
      const old = target.removeAllListeners("data");
      answer(await allReplies(old));
      old.removeAllListeners("close").destroy();
      if (client.destroyed) return;
      target = reach();
      for (const command of introduction) target.write(command);
      await allReplies(target);
      target.on("data", answer);
      client.resume();
    },
  };
}

const INTRODUCES = /^\*\d+\r\n\$\d+\r\n(auth|select|client|hello)\r\n/i;

/** How long the first command is, once all of it is there: how many parts, then of each how many bytes, and these. */
function lengthOfFirst(data: Buffer): number | undefined {
  let at = data.indexOf("\r\n") + 2;
  if (at === 1) return undefined;
  for (let left = Number(data.toString("latin1", 1, at)); left > 0; left -= 1) {
    const begin = data.indexOf("\r\n", at) + 2;
    if (begin === 1) return undefined;
    at = begin + Number(data.toString("latin1", at + 1, begin)) + 2;
  }
  return at <= data.length ? at : undefined;
}

/** The replies to everything that was asked before; there are no more when Redis says what we asked last. */
function allReplies(target: Socket): Promise<Buffer> {
  const last = randomUUID();
  const lastReply = `$${last.length}\r\n${last}\r\n`;
  let replies = Buffer.alloc(0);
  target.write(`*2\r\n$4\r\nPING\r\n${lastReply}`);
  return new Promise((resolve) => {
    const take = (chunk: Buffer) => {
      replies = Buffer.concat([replies, chunk]);
      if (!replies.toString("latin1").endsWith(lastReply)) return;
      target.off("data", take);
      resolve(replies.subarray(0, replies.length - lastReply.length));
    };
    target.on("data", take);
    target.once("close", () => {
      resolve(replies);
    });
  });
}
