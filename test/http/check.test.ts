import type { Request } from "express";
import type { Token } from "../../src/auth/tokens";
import type { Denylist } from "../../src/denylist/denylist";
import { CurfewError } from "../../src/errors";
import { createCheck, requireToken } from "../../src/http/guard";

/** What a check asks, and when it answers at once. */
const claims = { kind: "own", sub: "u" } as Token;
const revoked = new CurfewError("token_revoked");

function start({ isKnown = false, isClean = false, isRevoked = false } = {}) {
  const asked: string[] = [];
  const check = createCheck({
    tokens: {
      recall: () => (isKnown ? claims : undefined),
      verify() {
        asked.push("verify");
        return Promise.resolve(claims);
      },
    },
    denylist: {
      isKnownClean: () => isClean,
      assertNotRevoked() {
        asked.push("denylist");
        return isRevoked ? Promise.reject(revoked) : Promise.resolve();
      },
    } as unknown as Denylist,
    readAccess: () => ({ token: "t", transport: "cookie" }),
    assertNotCrossSite() {
      throw new CurfewError("cross_site_request");
    },
    meter: undefined,
  });
  return { asked, check: (method = "GET") => check({ method } as unknown as Request) };
}

it("a token that is remembered and known to be clean is accepted at once, and nothing is asked", () => {
  const { asked, check } = start({ isKnown: true, isClean: true });
  expect(check()).toBe(claims);
  expect(asked).toEqual([]);
});

it("one that is remembered is asked about, and isn't verified again", async () => {
  const { asked, check } = start({ isKnown: true });
  expect(await check()).toBe(claims);
  expect(asked).toEqual(["denylist"]);
});

it("one that isn't is verified first, whatever the mirror says of what it claims", async () => {
  const { asked, check } = start({ isClean: true });
  expect(await check()).toBe(claims);
  expect(asked).toEqual(["verify", "denylist"]);
});

it.each([true, false])("one that is revoked is refused (remembered: %s)", async (isKnown) => {
  await expect(start({ isKnown, isRevoked: true }).check()).rejects.toBe(revoked);
});

it("one that is asked about isn't let in meanwhile, even where an app has put another class in place of Promise", async () => {
  const native = Promise;
  const { check } = start({ isKnown: true, isRevoked: true });
  const next = jest.fn();
  const guard = requireToken(() => check()) as (...args: unknown[]) => Promise<void>;
  globalThis.Promise = class extends native<unknown> {} as PromiseConstructor;
  try {
    const done = guard({}, {}, next);
    await expect(done).rejects.toBe(revoked);
  } finally {
    globalThis.Promise = native;
  }
  expect(next).not.toHaveBeenCalled();
});

it("a request from another site is refused, however clean its cookie", () => {
  const { check } = start({ isKnown: true, isClean: true });
  expect(() => check("POST")).toThrow("another site");
});
