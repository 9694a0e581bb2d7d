// An Express app with WebSockets that close when their user logs out: npm install curfew express ioredis ws
// A browser connects with: new WebSocket(url, ["curfew", accessToken])
import { createServer } from "node:http";
import { createCurfew, isEndedBy } from "curfew";
import express from "express";
import { Redis } from "ioredis";
import { WebSocketServer } from "ws";

const curfew = createCurfew({
  redis: new Redis(process.env.REDIS_URL),
  keys: { secret: process.env.JWT_SECRET },
});

const app = express();
app.use("/api/auth", curfew.routes());

const server = createServer(app);
const sockets = new Map();
const wss = new WebSocketServer({ noServer: true, handleProtocols: () => "curfew" });

// Subscribe before anybody is let in, so that no revocation is missed.
curfew.onRevoked((revocation) => {
  for (const [socket, claims] of sockets) {
    if (isEndedBy(claims, revocation)) socket.close(4401, "token_revoked");
  }
});

server.on("upgrade", async (req, socket, head) => {
  socket.on("error", () => socket.destroy());
  const [protocol, token] = (req.headers["sec-websocket-protocol"] ?? "").split(/, */);
  try {
    if (protocol !== "curfew" || token === undefined) throw new Error("token_missing");
    const claims = await curfew.verify(token);
    wss.handleUpgrade(req, socket, head, (webSocket) => admit(webSocket, claims, token));
  } catch (error) {
    const status = error.code === "denylist_unavailable" ? "503 Service Unavailable" : "401 Unauthorized";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  }
});

async function admit(socket, claims, token) {
  sockets.set(socket, claims);
  // Expiry emits no event.
  const untilExpiry = setTimeout(() => socket.close(4401, "token_expired"), claims.exp * 1000 - Date.now());
  socket.on("close", () => {
    clearTimeout(untilExpiry);
    sockets.delete(socket);
  });
  // Check again: the token may have been revoked before the socket was in the map.
  await curfew.verify(token).catch((error) => socket.close(4401, error.code));
  socket.send("welcome");
}

server.listen(Number(process.env.PORT ?? 3000), () => console.log(server.address().port));
