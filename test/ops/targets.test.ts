import type { TrustedIssuer } from "../../src/issuers/trusted-issuer";
import { nameJti, readForeign } from "../../src/ops/targets";

const clerk = {
  ...{ name: "clerk", issuer: "https://clerk.example", clockLeadSeconds: 5, maxLifetimeSeconds: 3600 },
} as TrustedIssuer;

it.each([
  ["clerk:j1", 3605],
  ["j1", 900],
])(
  "%s is denied for as long as such a token can live, unless somebody says when it expires",
  (jti, seconds) => {
    const lifetimes = { issuers: [clerk], accessTtlSeconds: 900 };
    const now = Math.ceil(Date.now() / 1000);
    const { exp } = nameJti(lifetimes, jti, undefined);
    expect(exp).toBeGreaterThanOrEqual(now + seconds);
    expect(exp).toBeLessThanOrEqual(now + seconds + 1);
    expect(nameJti(lifetimes, jti, 17).exp).toBe(17);
  },
);

it("a name behind an issuer's is foreign", () => {
  expect(readForeign([clerk], "clerk:user:1")).toMatchObject({ id: "user:1", issuer: "clerk" });
});

it.each(["clerk", "clerk:", "clerks:ada", "ada"])(
  "%j isn't, so that nothing is said to be revoked",
  (name) => {
    expect(readForeign([clerk], name)).toBeUndefined();
  },
);
