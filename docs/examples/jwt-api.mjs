// A JWT API with a login of its own, after its move to Curfew: npm install curfew express ioredis
// Its users, their password hashes and its middleware auth() have stayed. docs/adopting.md tells the steps.
import { randomUUID, scryptSync } from "node:crypto";
import { createCurfew, CurfewError } from "curfew";
import express from "express";
import { Redis } from "ioredis";

// The table of users, as it was. Here it is in memory; passwordHash is from before the move.
const users = new Map();
const find = (email) => [...users.values()].find((user) => user.email === email);
const save = (user) => users.set(user.id, { ...users.get(user.id), ...user }).get(user.id);
const oldHash = (password) => `scrypt:${scryptSync(password, "salt", 32).toString("hex")}`;
const createdAt = "2020-01-01T00:00:00.000Z";
const old = { id: "7", email: "ada@example.com", roles: ["admin"], createdAt };
save({ ...old, passwordHash: oldHash("correct horse battery staple") });

const curfew = createCurfew({
  redis: new Redis(process.env.REDIS_URL),
  keys: { secret: process.env.JWT_SECRET },
  accounts: {
    async create(email, passwordHash) {
      if (find(email)) throw new CurfewError("email_taken");
      return save({ id: randomUUID(), email, roles: [], passwordHash, createdAt: new Date().toISOString() });
    },
    findByEmail: async (email) => find(email),
    findById: async (id) => users.get(id),
    async replacePasswordHash(id, seen, next) {
      if (users.get(id)?.passwordHash !== seen) return false;
      return Boolean(save({ id, passwordHash: next }));
    },
    // For hashes from before the move. With bcrypt: bcrypt.compare(password, user.passwordHash)
    verifyPassword: async (user, password) => user.passwordHash === oldHash(password),
  },
});

/** What stood in middlewares/auth.js, under its name, so that no route has to change. */
const auth = (...roles) => (roles.length > 0 ? curfew.requireToken({ roles }) : curfew.requireToken());

const app = express();
app.use(express.json());

// Only until the frontends have moved: their names for what they send.
app.use("/v1/auth", (req, _res, next) => {
  if (req.path === "/refresh-tokens") req.url = "/refresh";
  if (req.body?.refreshToken) req.body = { refresh_token: req.body.refreshToken };
  next();
});
app.use("/v1/auth", curfew.routes({ answerLogoutWith: "no-content" }));

app.get("/v1/users/me", auth(), (req, res) => {
  const { id, email, roles } = users.get(req.auth.subject);
  res.json({ id, email, roles });
});
app.get("/v1/users", auth("admin"), (_req, res) => res.json([...users.keys()]));

const server = app.listen(Number(process.env.PORT ?? 3000), () => console.log(server.address().port));
