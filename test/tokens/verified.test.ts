import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as jsonwebtoken from "jsonwebtoken";
import { claims, CLAIMS, createTokens, expectRefused, genuine, hs256, NOW } from "../helpers/access-tokens";
import { rememberVerified } from "../../src/tokens/verified";
import { vary } from "../helpers/jws";

/** How often a signature is verified tells whether a token was remembered. */
jest.mock("jsonwebtoken", () => {
  const actual = jest.requireActual<typeof jsonwebtoken>("jsonwebtoken");
  return { ...actual, verify: jest.fn(actual.verify) };
});
const verified = jest.mocked(jsonwebtoken.verify);

beforeEach(() => {
  jest.useFakeTimers({ now: NOW * 1000 });
  verified.mockClear();
});
afterEach(() => {
  jest.useRealTimers();
});

it("a token's signature is verified once", () => {
  const tokens = createTokens(hs256);
  for (let use = 0; use < 5; use += 1) expect(tokens.verify(genuine)).toMatchObject(CLAIMS);
  expect(verified).toHaveBeenCalledTimes(1);
  expect(tokens.remembers(genuine)).toBe(true);
});

it("a token that is remembered still expires", () => {
  const tokens = createTokens(hs256);
  tokens.verify(genuine);
  jest.setSystemTime((CLAIMS.exp - 1) * 1000);
  tokens.verify(genuine);
  jest.setSystemTime(CLAIMS.exp * 1000);
  expectRefused(() => tokens.verify(genuine), "token_expired");
  expect(tokens.verify(genuine, { allowExpired: true })).toMatchObject(CLAIMS);
});

it("a token that is remembered is refused again where the clock goes back to before it was issued", () => {
  const tokens = createTokens(hs256);
  tokens.verify(genuine);
  jest.setSystemTime((CLAIMS.iat - 31) * 1000);
  expectRefused(() => tokens.verify(genuine));
  jest.setSystemTime(NOW * 1000);
  const later = claims({ nbf: NOW })();
  tokens.verify(later);
  jest.setSystemTime((NOW - 1) * 1000);
  expectRefused(() => tokens.verify(later));
});

it("a token that is only taken for a logout isn't remembered: it may live longer than is allowed", () => {
  const tokens = createTokens(hs256);
  const long = claims({ exp: NOW + 86_400 })();
  tokens.verify(long, { allowExpired: true });
  expect(tokens.remembers(long)).toBe(false);
  expectRefused(() => tokens.verify(long));
});

it("what a handler does to the claims doesn't reach the next request", () => {
  const tokens = createTokens(hs256);
  const first = tokens.verify(genuine);
  first.roles.push("ops");
  first.sub = "somebody else";
  const second = tokens.verify(genuine);
  second.roles.length = 0;
  expect(tokens.verify(genuine)).toMatchObject(CLAIMS);
});

it("a token is recalled, as a copy, only while it would be accepted without looking at its signature", () => {
  const tokens = createTokens(hs256);
  expect(tokens.recall(genuine)).toBeUndefined();
  const claims = tokens.verify(genuine);
  tokens.recall(genuine)?.roles.push("ops");
  expect(tokens.recall(genuine)).toEqual(claims);
  expect(verified).toHaveBeenCalledTimes(1);
  for (const second of [CLAIMS.iat - 31, CLAIMS.exp]) {
    jest.setSystemTime(second * 1000);
    expect(tokens.recall(genuine)).toBeUndefined();
  }
});

it("forged tokens are never remembered, however many, and push nothing out", () => {
  const tokens = createTokens(hs256);
  tokens.verify(genuine);
  for (let at = 0; at < 200; at += 1) {
    const forged = vary(genuine, "another secret that has more than 32 bytes", { claims: { jti: `j${at}` } });
    expectRefused(() => tokens.verify(forged));
    expect(tokens.remembers(forged)).toBe(false);
  }
  expect(tokens.remembers(genuine)).toBe(true);
});

it("so many are remembered and no more, and those in use are the last to go", () => {
  const tokens = createTokens(hs256);
  const minted = Array.from({ length: 10_001 }, (_, at) => tokens.mint({ ...CLAIMS, sid: `s${at}` }));
  for (const token of minted) {
    tokens.verify(genuine);
    tokens.verify(token);
  }
  expect(tokens.remembers(genuine)).toBe(true);
  expect(minted.filter((token) => tokens.remembers(token))).toHaveLength(9_999);
});

it("of long tokens fewer are remembered", () => {
  const known = rememberVerified<object>();
  const tokens = Array.from({ length: 2000 }, (_, at) => String(at).padStart(8192, "x"));
  for (const token of tokens) known.set(token, {});
  expect(tokens.filter((token) => known.has(token))).toEqual(tokens.slice(-Math.floor(16_000_000 / 8192)));
});

it("a token keeps nothing in memory of what it was a part of, such as a long row of cookies", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const known = rememberVerified<object>();
  const part = (at: number) => Buffer.alloc(100_000, `${at} `).toString("latin1").slice(0, 100);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let at = 0; at < 200; at += 1) known.set(part(at), {});
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
  expect(known.has(part(199))).toBe(true);
});
