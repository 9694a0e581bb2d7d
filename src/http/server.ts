import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";

/**
 * A request that dawdles is cut off with a 408: five seconds for its headers, ten for all of it. Node looks for such
 * requests twice a minute only, unless it is told to look more often.
 */
const TIMEOUTS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };

type App = (req: IncomingMessage, res: ServerResponse, giveUp: () => void) => void;

/** Serves the app; resolves once connections are accepted. */
export function listen(app: App, port: number, host: string): Promise<Server> {
  const server = createServer(TIMEOUTS, (req, res) => {
    app(req, res, () => {
      refuseUnreadable(res);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

/** Express gives up before its first middleware on a target that is no URL (`http://[`). */
function refuseUnreadable(res: ServerResponse): void {
  res.writeHead(400, { "Content-Type": "application/json; charset=utf-8", Connection: "close" });
  res.end(
    JSON.stringify({
      error: STATUS_CODES[400],
      code: "invalid_request",
      message: "The request is not valid.",
    }),
  );
}
