import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { createDrain } from "../../src/http/drain";
import { eventually } from "../helpers/client";

/** What of stopping can be seen only where the answers are larger and the times shorter than the service's. */
let server: Server;
afterEach(() => {
  server.closeAllConnections();
});

const TIMES = { quietMs: 20, graceMs: 20_000 };

async function serve(answer: RequestListener) {
  server = createServer({ headersTimeout: 300, requestTimeout: 300, connectionsCheckingInterval: 20 });
  const { drain } = createDrain(server);
  server.on("request", answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return drain;
}

async function open(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

const isClosed = () => Promise.resolve(!server.listening);

it("sends the whole of an answer that a slow client is still reading when the door closes", async () => {
  const size = 20_000_000;
  const drain = await serve((_req, res) => res.end("x".repeat(size)));
  const socket = await open();
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(server, "request");
  const drained = drain(TIMES);
  await eventually(isClosed);
  let received = 0;
  // Its headers were out before anybody knew of the end: the connection could have been used again.
  socket.on("data", (chunk) => {
    received += chunk.length;
    if (received > size) socket.end();
  });
  socket.resume();
  await drained;
  expect(received).toBeGreaterThan(size);
});

it("keeps to the time limit for a client that dawdles, with the door closed", async () => {
  const drain = await serve((req) => req.resume());
  const socket = await open();
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  await once(server, "request");
  const drained = drain(TIMES);
  await eventually(isClosed);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 /);
  await drained;
});
