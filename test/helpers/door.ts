import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** The way to a server, which can be shut as a network breaks in two: nothing passes, and nobody is told. */
export type Door = {
  port: number;
  leadTo(port: number): void;
  /** What is sent from now on waits, on old connections and new ones. */
  shut(): void;
  /** What waits goes on, as it does when TCP sends again. */
  open(): void;
  stop(): Promise<void>;
};

/** `translate`: what is said through it, for whoever must know the others by other doors. A reply comes in one piece. */
export async function startDoor(translate = (reply: Buffer): Buffer => reply): Promise<Door> {
  const sockets = new Set<Socket>();
  let targetPort = 0;
  let isShut = false;

  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    const end = () => {
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) {
      sockets.add(socket);
      if (isShut) socket.pause();
      socket.setNoDelay().on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (chunk) => target.write(chunk));
    target.on("data", (chunk) => client.write(translate(chunk)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    leadTo(port) {
      targetPort = port;
    },
    shut() {
      isShut = true;
      for (const socket of sockets) socket.pause();
    },
    open() {
      isShut = false;
      for (const socket of sockets) socket.resume();
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
