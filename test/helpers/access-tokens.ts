import { CurfewError, type ErrorCode } from "../../src/errors";
import { createAccessTokens, type AccessTokens } from "../../src/tokens/access-tokens";
import { createKeyRing } from "../../src/keys/key-ring";
import { readSecret, type SigningKey } from "../../src/keys/keys";
import { decodePart, encode, forge, vary } from "./jws";
import { SECRET } from "./service";

type Json = Record<string, unknown>;

/** What is wrong with a token, and the token: made when the test runs. */
export type Case = [title: string, token: () => string];

/** The time in these tests. */
export const NOW = 1_900_000_000;
export const DAY = 86_400;
export const TTL = 900;
export const ISSUER = "https://auth.example.com";
export const AUDIENCE = "api.example.com";
export const CLIENT_ID = "shop.example.com";
export const CLAIMS = {
  sub: "0b6f2f0e-7a39-4a4c-8f8e-0d4f3c0b6d11",
  sid: "6c0d6a52-5d53-4e29-9a52-0f2f4a0f7f10",
  iat: NOW - 60,
  exp: NOW + 600,
  roles: ["analyst"],
  epoch: "1890000000-3f2a",
};

export const createTokens = (key: SigningKey, clockToleranceSeconds = 0, others: SigningKey[] = []) =>
  createAccessTokens({
    keys: createKeyRing(key, others),
    issuer: ISSUER,
    audience: AUDIENCE,
    clientId: CLIENT_ID,
    accessTtlSeconds: TTL,
    clockToleranceSeconds,
  });

export const hs256 = readSecret(SECRET);
export const tokens = createTokens(hs256);

/** The token from which all others are made by changing one thing. */
export const genuine = tokens.mint(CLAIMS);
export const [genuineHeader, genuineClaims] = [decodePart(genuine, 0), decodePart(genuine, 1)];
export const [headerPart = "", claimsPart = "", signaturePart = ""] = genuine.split(".");

// One thing changed, and rightly signed. Raw text or bytes take the place of the whole part.
export const header = (change: Json) => () => vary(genuine, SECRET, { header: change });
export const claims = (change: Json) => () => vary(genuine, SECRET, { claims: change });
export const rawHeader = (text: string | Buffer) => () => forge(text, genuineClaims, SECRET);
export const rawClaims = (text: string | Buffer) => () => forge(genuineHeader, text, SECRET);

export function expectAccepted(token: string, verifier: AccessTokens = tokens): void {
  expect(verifier.verify(token)).toMatchObject({ iss: ISSUER, sub: CLAIMS.sub, sid: CLAIMS.sid });
}

const MESSAGES: Partial<Record<ErrorCode, string>> = {
  token_invalid: "The access token is not valid.",
  token_expired: "The access token has expired.",
};

/** The code decides the message, so that a refusal can't tell more than its code does. */
export function expectRefused(refuse: () => unknown, code: ErrorCode = "token_invalid"): void {
  let refusal: unknown;
  try {
    refuse();
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(CurfewError);
  expect(refusal).toMatchObject({ code, message: MESSAGES[code], details: undefined });
}

/** Each refusal stands beside its control: the same token unchanged, signed by the same hand. */
export function itRefuses(cases: Case[], code: ErrorCode = "token_invalid"): void {
  it.each(cases)("refuses %s", (_title, token) => {
    expectRefused(() => tokens.verify(token()), code);
    expectAccepted(vary(genuine, SECRET, {}));
  });
}

/** Every bit of every part, flipped one at a time. */
export function* flips(token: string): Generator<string> {
  const parts = token.split(".").map((part) => Buffer.from(part, "base64url"));
  for (const part of parts) {
    for (let bit = 0; bit < part.length * 8; bit++) {
      const [at, mask] = [bit >> 3, 1 << (bit % 8)];
      part.writeUInt8(part.readUInt8(at) ^ mask, at);
      yield parts.map(encode).join(".");
      part.writeUInt8(part.readUInt8(at) ^ mask, at);
    }
  }
}
