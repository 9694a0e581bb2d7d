import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isAnnouncedTooLarge } from "./request/body";
import { ERRORS } from "../errors";
import { createDrain, type DrainTimes } from "./drain";

/**
 * A request that dawdles is cut off with a 408: five seconds for its headers, ten for all of it. Node looks for such
 * requests twice a minute only, unless it is told to look more often.
 */
const TIMEOUTS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };

type App = (req: IncomingMessage, res: ServerResponse, giveUp: () => void) => void;

export type Listening = { port: number; drain: (times: DrainTimes) => Promise<void> };

/** Serves the app, which can ask whether we are stopping; resolves once connections are accepted. */
export function listen(
  createApp: (isStopping: () => boolean) => App,
  port: number,
  host: string,
): Promise<Listening> {
  const server = createServer(TIMEOUTS);
  const { isStopping, drain } = createDrain(server);
  const app = createApp(isStopping);
  server.on("request", (req, res) => {
    // Whoever is refused before their body is read would go on sending it.
    if (isAnnouncedTooLarge(req)) res.setHeader("Connection", "close");
    app(req, res, () => {
      refuseUnreadable(res);
    });
  });
  server.on("checkContinue", (req, res) => {
    // Who asks before sending too much is told no before sending it.
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

/** Express gives up before its first middleware on a target that is no URL (`http://[`). */
function refuseUnreadable(res: ServerResponse): void {
  const { status, message } = ERRORS.invalid_request;
  res.writeHead(status, { "Content-Type": "application/json; charset=utf-8", Connection: "close" });
  res.end(JSON.stringify({ error: STATUS_CODES[status], code: "invalid_request", message }));
}
