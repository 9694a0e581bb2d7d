import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { use } from "./use";

/** Somebody's web server. Each page is empty; at `/curfew.js` is a copy of the client. Whose it is depends on its name. */
export type Pages = {
  port: number;
  /** The headers of the requests so far. */
  seen: IncomingHttpHeaders[];
  stop(): void;
};

async function startPages(): Promise<Pages> {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((req, res) => {
    seen.push(req.headers);
    const isClient = req.url === "/curfew.js";
    res.setHeader("Content-Type", isClient ? "text/javascript" : "text/html");
    res.end(isClient ? readFileSync("dist/browser/curfew.js") : "<!doctype html><title>Somebody’s</title>");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, seen, stop: () => void server.close() };
}

export const usePages = (): Pages => use(startPages);
