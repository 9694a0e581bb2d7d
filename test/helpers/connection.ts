import { once } from "node:events";
import { connect } from "node:net";
import { eventually } from "./client";

/** One connection to a service, with nothing between the test and the bytes on it. */
export type Connection = {
  write(...text: string[]): void;
  /** Everything that has come so far, once that matches. */
  until(pattern: RegExp): Promise<string>;
  /** Everything that has come, once the other side has ended the connection in order. A reset throws. */
  untilEnd(): Promise<string>;
  destroy(): void;
};

/** Rejects if nobody accepts it. */
export async function openConnection(url: string): Promise<Connection> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let received = "";
  let failure: Error | undefined;
  socket.on("data", (chunk) => (received += chunk.toString()));
  const ended = new Promise<void>((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  socket.on("error", (error) => (failure = error));
  return {
    write(...text) {
      socket.write(text.join(""));
    },
    async until(pattern) {
      await eventually(() => Promise.resolve(pattern.test(received)));
      return received;
    },
    async untilEnd() {
      await ended;
      if (failure) throw failure;
      return received;
    },
    destroy() {
      socket.destroy();
    },
  };
}

/** A request without a body. */
export const get = (path: string, token?: string) =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${token === undefined ? "" : `Authorization: Bearer ${token}\r\n`}\r\n`;

/** A request of which the body comes later, if ever: the service says when it has begun. */
export const postLater = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`;

export const HAS_BEGUN = /100 Continue\r\n\r\n$/;

/** The answers in what came, in their order. */
export const answersIn = (received: string) =>
  [...received.matchAll(/HTTP\/1\.1 ([2-5]\d\d) .*\r\n((?:.+\r\n)*)\r\n/g)].map(
    ([, status, headers = ""]) => ({
      status: Number(status),
      closes: /^connection: close\r?$/im.test(headers),
    }),
  );
