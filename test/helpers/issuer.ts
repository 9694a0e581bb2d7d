import { generateKeyPairSync, sign, type JsonWebKey, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import pino from "pino";
import { keySigner, type Signer } from "./jws";

type Pair = { publicKey: KeyObject; privateKey: KeyObject };

export const pairs = {
  RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  Ed25519: generateKeyPairSync("ed25519"),
} satisfies Record<string, Pair>;

export const jwkOf = (
  { publicKey }: Pick<Pair, "publicKey">,
  more: Record<string, unknown> = {},
): JsonWebKey => ({ ...publicKey.export({ format: "jwk" }), ...more });

export const pemOf = ({ publicKey }: Pick<Pair, "publicKey">) =>
  publicKey.export({ type: "spki", format: "pem" }).toString();

const edSigner =
  (key: KeyObject): Signer =>
  (signingInput) =>
    sign(null, Buffer.from(signingInput), key).toString("base64url");

/** How a token of each algorithm is signed, and with whose public key it holds. */
export const SIGNING = {
  RS256: { pair: pairs.RSA, signer: keySigner(pairs.RSA.privateKey) },
  RS384: { pair: pairs.RSA, signer: keySigner(pairs.RSA.privateKey, { hash: "sha384" }) },
  RS512: { pair: pairs.RSA, signer: keySigner(pairs.RSA.privateKey, { hash: "sha512" }) },
  PS256: { pair: pairs.RSA, signer: keySigner(pairs.RSA.privateKey, { pss: true }) },
  PS384: { pair: pairs.RSA, signer: keySigner(pairs.RSA.privateKey, { hash: "sha384", pss: true }) },
  PS512: { pair: pairs.RSA, signer: keySigner(pairs.RSA.privateKey, { hash: "sha512", pss: true }) },
  ES256: { pair: pairs["P-256"], signer: keySigner(pairs["P-256"].privateKey) },
  ES384: { pair: pairs["P-384"], signer: keySigner(pairs["P-384"].privateKey, { hash: "sha384" }) },
  ES512: { pair: pairs["P-521"], signer: keySigner(pairs["P-521"].privateKey, { hash: "sha512" }) },
  EdDSA: { pair: pairs.Ed25519, signer: edSigner(pairs.Ed25519.privateKey) },
};

/** An issuer's server on loopback, which answers as it is told. */
export async function startIssuer() {
  let answer: RequestListener = (_req, res) => res.writeHead(404).end();
  let requests = 0;
  const server = createServer((req, res) => {
    requests++;
    answer(req, res);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    uri: `http://127.0.0.1:${port}/jwks.json`,
    requests: () => requests,
    answer: (listener: RequestListener) => void (answer = listener),
    publish: (...keys: unknown[]) => void (answer = (_req, res) => res.end(JSON.stringify({ keys }))),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A log that is kept. */
export function keepLog() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  return { log: pino({ level: "info", base: null, timestamp: false }, { write }), lines };
}
