import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Classes } from "./born";
import { endWith, isAnnouncedTooLarge } from "./request/body";
import { ERRORS } from "../errors";
import { createDrain, type DrainTimes } from "./drain";

/**
 * A slow request is cut off with a 408: after five seconds for its headers, ten for all of it. By default, Node looks
 * for such requests only twice a minute.
 */
const TIMEOUTS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };

/** `giveUp` is called for a request that can't be read; left out, Express answers it. */
export type App = {
  (req: IncomingMessage, res: ServerResponse, giveUp?: () => void): void;
  classes: Classes;
};

export type Listening = { port: number; drain: (times: DrainTimes) => Promise<void> };

/** Serves the app, which can ask whether the server is stopping. Resolves once connections are accepted. */
export function listen(
  createApp: (isStopping: () => boolean) => App,
  port: number,
  host: string,
): Promise<Listening> {
  const app = createApp(() => isStopping());
  const server = createServer({ ...TIMEOUTS, ...app.classes });
  const { isStopping, drain } = createDrain(server);
  server.on("request", (req, res) => {
    // It may be refused for another reason first, and would go on sending.
    if (isAnnouncedTooLarge(req)) endWith(res);
    app(req, res, () => {
      refuseUnreadable(res);
    });
  });
  server.on("checkContinue", (req, res) => {
    // A client that announces too much with `Expect: 100-continue` is refused before it sends the body.
    if (!isAnnouncedTooLarge(req)) res.writeContinue();
    server.emit("request", req, res);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve({ port: (server.address() as AddressInfo).port, drain });
    });
  });
}

/** Express fails before its first middleware if a request's target isn't a URL (`http://[`). */
function refuseUnreadable(res: ServerResponse): void {
  const { status, message } = ERRORS.invalid_request;
  res.writeHead(status, { "Content-Type": "application/json; charset=utf-8", Connection: "close" });
  res.end(JSON.stringify({ error: STATUS_CODES[status], code: "invalid_request", message }));
}
