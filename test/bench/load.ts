import { connect, type Socket } from "node:net";

/** What to ask for, over and over, on connections that stay open. */
export type Question = { port: number; path: string; headers: Record<string, string> };

const HEAD_END = "\r\n\r\n";

/**
 * Asks the same question many times, on so many connections at once, and returns how long each answer took, in
 * milliseconds. It reads no more of an answer than it must: a client that costs more than the server would let the
 * server wait, and a server that waits does everything in smaller portions. Nor does it ever sleep: to wake it up would
 * cost the server, and in a virtual machine more than the check itself.
 */
export async function load(question: Question, connections: number, count: number): Promise<number[]> {
  const times: number[] = [];
  let left = count;
  let isOver = false;

  function stayAwake(): void {
    if (!isOver) setImmediate(stayAwake);
  }

  async function client(): Promise<void> {
    const socket = connect(question.port, "127.0.0.1").setNoDelay();
    try {
      await new Promise((resolve) => socket.once("connect", resolve));
      for (; left > 0; times.push(await ask(socket, question))) left -= 1;
    } finally {
      socket.destroy();
    }
  }

  stayAwake();
  try {
    await Promise.all(Array.from({ length: connections }, client));
  } finally {
    isOver = true;
  }
  return times.sort((one, other) => one - other);
}

function ask(socket: Socket, { path, headers }: Question): Promise<number> {
  const lines = Object.entries({ Host: "127.0.0.1", ...headers }).map(([name, value]) => `${name}: ${value}`);
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    let answer = "";
    const fail = (error: Error) => {
      reject(error);
    };
    function read(chunk: Buffer): void {
      answer += chunk.toString("latin1");
      const head = answer.indexOf(HEAD_END);
      if (head < 0 || answer.length < head + HEAD_END.length + lengthOf(answer.slice(0, head))) return;
      socket.off("data", read).off("error", fail);
      if (/^HTTP\/1\.1 20[04]/.test(answer)) resolve(performance.now() - startedAt);
      else reject(new Error(answer));
    }
    socket.on("data", read).on("error", fail);
    socket.write([`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
  });
}

const lengthOf = (head: string) => Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
