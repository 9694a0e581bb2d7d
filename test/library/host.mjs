// An app that has Curfew in it, as its tests want it: Express 4 or 5, whichever is installed beside it.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { Redis } from "ioredis";
import { createCurfew, CurfewError } from "curfew";

const {
  redis: url,
  mountAt = "/api/auth",
  parses = false,
  hasOwnAccounts = false,
  options = {},
} = JSON.parse(process.argv[2]);

const redis = new Redis(url);
redis.on("error", () => undefined);
const curfew = createCurfew({
  redis,
  timeoutMs: 5000,
  rateLimits: false,
  ...options,
  ...(hasOwnAccounts && { accounts: createAccounts() }),
});

const revoked = [];
curfew.onRevoked(() => {
  throw new Error("a listener that breaks");
});
curfew.onRevoked((entry) => revoked.push(entry));

const app = express();
app.get("/revoked", (_req, res) => res.json(revoked));
if (parses) app.use(express.json(), express.urlencoded({ extended: false }));
app.use(mountAt, curfew.routes());

const passed = [];
const reached = (req, res) => {
  passed.push(req.originalUrl);
  res.json({ auth: req.auth });
};
app.get("/reports", curfew.requireToken({ role: "analyst" }), reached);
app.all("/any", curfew.requireToken(), reached);
// Answers when it is told to, long after the guard let it through.
let release;
app.get("/slow", curfew.requireToken(), (req, res) => {
  release = () => reached(req, res);
});
app.post("/control/release", (_req, res) => {
  release();
  res.status(204).end();
});
app.get("/control/has-begun", (_req, res) => res.status(release ? 204 : 404).end());
app.use("/twice", curfew.requireToken(), curfew.requireToken(), reached);
app.use("/sub", express().use(curfew.requireToken(), reached));
app.use(mountAt, curfew.routes());
app.use("/never/guard", curfew.requireToken, reached);
app.use("/never/routes", curfew.routes, reached);
app.get("/passed", (_req, res) => res.json(passed));

app.post("/control/revoke-user/:id", (req, res, next) => {
  curfew.revokeUser(req.params.id).then(() => res.status(204).end(), next);
});
let areAccountsBroken = false;
app.post("/control/break-accounts", (_req, res) => {
  areAccountsBroken = true;
  res.status(204).end();
});
app.get("/control/close", (_req, res) => {
  res.json({});
  res.once("close", async () => {
    await curfew.close();
    redis.disconnect();
    server.close();
    server.closeAllConnections();
  });
});
app.get("/breaks", () => {
  throw new Error("the app's own");
});
app.use((_req, res) => res.status(404).json({ from: "the app" }));
app.use((error, _req, res, next) => {
  if (res.headersSent) next(error);
  else res.status(500).json({ from: "the app", message: error.message });
});

// Until Redis has answered. What has expired needs no entry.
const isDown = () =>
  curfew.revoke({ jti: "up", exp: 1 }).then(
    () => false,
    () => true,
  );
while (await isDown()) await sleep(10);
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));

function createAccounts() {
  const table = new Map();
  const open = () => {
    // As an HTTP client's errors are.
    if (areAccountsBroken)
      throw Object.assign(new Error("db://root:hunter2@10.0.0.1 is gone"), { status: 404 });
    return table;
  };
  const find = (is) => [...open().values()].find(is) ?? null;
  return {
    async create(email, passwordHash) {
      if (find((each) => each.email === email)) throw new CurfewError("email_taken");
      const roles = email.startsWith("analyst") ? ["analyst"] : [];
      const account = {
        id: `own-${randomUUID()}`,
        email,
        roles,
        passwordHash,
        createdAt: new Date().toISOString(),
      };
      open().set(account.id, account);
      return account;
    },
    findByEmail: async (email) => find((each) => each.email === email),
    findById: async (id) => open().get(id) ?? null,
    async replacePasswordHash(id, seen, next) {
      const account = open().get(id);
      if (account?.passwordHash !== seen) return false;
      open().set(id, { ...account, passwordHash: next });
      return true;
    },
  };
}
