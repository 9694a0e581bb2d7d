// An app whose users sign in at Clerk, Auth0, Keycloak …, with a real logout: npm install curfew express ioredis
// docs/providers.md has each provider's entry for `issuers`.
import { createCurfew } from "curfew";
import express from "express";
import { Redis } from "ioredis";

const curfew = createCurfew({
  redis: new Redis(process.env.REDIS_URL),
  // No users, no tokens and no keys of its own.
  accounts: false,
  issuers: [
    {
      name: "idp",
      issuer: process.env.ISSUER,
      jwks_uri: process.env.JWKS_URI,
      // null only for a provider whose tokens have no aud, such as Clerk's: it takes tokens for other apps, too.
      audience: process.env.AUDIENCE ?? null,
      algorithms: ["RS256"],
    },
  ],
});

const app = express();

// The frontend calls this first, with the provider's token, and then signs out at the provider.
app.use("/auth", curfew.routes({ only: ["logout"] }));

// In place of the provider's own middleware.
app.get("/me", curfew.requireToken(), (req, res) => {
  // subject is "idp:user_1"; claims has all that the provider says, roles too: what they mean is for the app to say.
  const { subject, claims } = req.auth;
  res.json({ subject, name: claims.name ?? null });
});

const server = app.listen(Number(process.env.PORT ?? 3000), () => console.log(server.address().port));
