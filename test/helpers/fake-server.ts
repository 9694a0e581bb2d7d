import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

export type FakeServer = {
  readonly port: number;
  /** All connections that there were, in order. */
  readonly sockets: Socket[];
  /** What was asked, word by word. */
  readonly asked: string[][];
  /** To a command on a connection, the first being 1; undefined is none. */
  answerTo: (words: string[], connection: number) => string | undefined;
  stop(): void;
};

const OWN_TIME = ["Date", "performance", "hrtime", "setTimeout", "clearTimeout"] as const;
const AT_ONCE = ["nextTick", "queueMicrotask", "setImmediate", "clearImmediate"] as const;

/** Nothing is asked at intervals; all else takes its time, because these connections are real. */
export const holdIntervals = () => jest.useFakeTimers({ doNotFake: [...OWN_TIME, ...AT_ONCE] });

export const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

/** Whatever speaks Redis's protocol: real connections, and any answer to what is asked on them. */
export async function startServer(answerTo: FakeServer["answerTo"]): Promise<FakeServer> {
  let isStopped = false;
  const server = createServer((socket) => {
    if (isStopped) socket.destroy();
    const connection = fake.sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      for (const words of readCommands(data.toString())) {
        fake.asked.push(words);
        const answer = fake.answerTo(words, connection);
        if (answer !== undefined) socket.write(answer);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const fake: FakeServer = {
    port: (server.address() as AddressInfo).port,
    ...{ sockets: [], asked: [], answerTo },
    stop() {
      isStopped = true;
      for (const socket of fake.sockets) socket.destroy();
      server.close();
    },
  };
  return fake;
}

/** Each begins with how many words it has, and each word with its length. */
const readCommands = (text: string) =>
  text
    .split(/\*\d+\r\n/)
    .slice(1)
    .map((command) =>
      [...command.matchAll(/\$\d+\r\n(.*?)\r\n/g)].map(([, word = ""]) => word.toLowerCase()),
    );
