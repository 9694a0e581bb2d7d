import { createServer, type RequestListener, type Server } from "node:http";

/**
 * A request that dawdles is cut off with a 408: five seconds for its headers, ten for all of it. Node looks for such
 * requests twice a minute only, unless it is told to look more often.
 */
const TIMEOUTS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };

/** Serves the app; resolves once connections are accepted. */
export function listen(app: RequestListener, port: number, host: string): Promise<Server> {
  const server = createServer(TIMEOUTS, app);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}
