import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sign } from "jsonwebtoken";

/** An outside identity provider that a test runs itself: it publishes its key, and mints tokens. */
export type TestProvider = {
  /** What stands in TRUSTED_ISSUERS_FILE for it. */
  entry: Record<string, unknown>;
  mint(claims?: Record<string, unknown>): string;
  /** A logout token, which needs a `sid` or a `sub`. */
  mintLogout(claims: Record<string, unknown>): string;
  stop(): Promise<void>;
};

export async function startProvider(name: string, more: Record<string, unknown> = {}): Promise<TestProvider> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = randomUUID();
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }];
  const server = createServer((_req, res) => {
    res.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const issuer = `https://${name}.example.com`;
  function sealed(claims: Record<string, unknown>, typ: string): string {
    // What is undefined is left out.
    const payload = JSON.parse(JSON.stringify(claims)) as Record<string, unknown>;
    return sign(payload, privateKey, { algorithm: "RS256", keyid: kid, header: { alg: "RS256", typ } });
  }
  return {
    entry: {
      name,
      issuer,
      jwks_uri: `http://127.0.0.1:${port}/jwks.json`,
      audience: null,
      algorithms: ["RS256"],
      ...more,
    },
    mint(claims = {}) {
      const now = Math.floor(Date.now() / 1000);
      return sealed(
        { iss: issuer, sub: "user_1", jti: randomUUID(), iat: now, exp: now + 600, ...claims },
        "JWT",
      );
    },
    mintLogout(claims) {
      const now = Math.floor(Date.now() / 1000);
      const events = { "http://schemas.openid.net/event/backchannel-logout": {} };
      const usual = { iss: issuer, aud: "client", jti: randomUUID(), iat: now, exp: now + 120, events };
      return sealed({ ...usual, ...claims }, "logout+jwt");
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A TRUSTED_ISSUERS_FILE. */
export function writeIssuers(...issuers: TestProvider[]): string {
  const file = join(mkdtempSync(join(tmpdir(), "curfew-issuers-")), "issuers.json");
  writeFileSync(file, JSON.stringify(issuers.map(({ entry }) => entry)));
  return file;
}
