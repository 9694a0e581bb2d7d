// An app whose users passport logs in, with a real logout: npm install curfew express ioredis passport passport-local
// Whatever the strategy is, passport says who it was, and Curfew opens the session.
import { createCurfew } from "curfew";
import express from "express";
import { Redis } from "ioredis";
import passport from "passport";
import { Strategy } from "passport-local";

const users = [
  { id: "7", email: "ada@example.com", password: "correct horse battery staple", roles: ["admin"] },
];

passport.use(
  new Strategy({ usernameField: "email" }, (email, password, done) => {
    // Your own check, as it was.
    done(null, users.find((user) => user.email === email && user.password === password) ?? false);
  }),
);

const curfew = createCurfew({
  redis: new Redis(process.env.REDIS_URL),
  keys: { secret: process.env.JWT_SECRET },
  // Plain http is for development only.
  cookies: { secure: process.env.NODE_ENV === "production" },
});

const app = express();

/** Another site's form can't send JSON, and so can't log its visitor in as somebody else. */
const jsonOnly = (req, res, next) => (req.is("application/json") ? next() : res.sendStatus(415));
const local = passport.authenticate("local", { session: false });

// In place of express-session and passport.session().
app.post("/login", jsonOnly, express.json(), local, async (req, res) => {
  const { id, email, roles } = req.user;
  res.json(await curfew.openSession(req, res, { id, email, roles, transport: "cookie" }));
});

// In place of req.logout(). There is no register, login or password, because passport does that here.
app.use("/auth", curfew.routes({ only: ["refresh", "logout", "sessions"] }));

// In place of req.isAuthenticated().
app.get("/me", curfew.requireToken(), (req, res) => {
  const { id, email } = users.find((user) => user.id === req.auth.subject);
  res.json({ id, email });
});
app.get("/admin", curfew.requireToken({ role: "admin" }), (_req, res) => res.json({ welcome: true }));

const server = app.listen(Number(process.env.PORT ?? 3000), () => console.log(server.address().port));
