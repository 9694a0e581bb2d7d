import type { TrustedIssuer } from "../../src/issuers/foreign-tokens";
import { readForeign } from "../../src/ops/targets";

const clerk = { name: "clerk", issuer: "https://clerk.example" } as TrustedIssuer;

it("a name behind an issuer's is foreign", () => {
  expect(readForeign([clerk], "clerk:user:1")).toMatchObject({ id: "user:1", issuer: "clerk" });
});

it.each(["clerk", "clerk:", "clerks:ada", "ada"])(
  "%j isn't, so that nothing is said to be revoked",
  (name) => {
    expect(readForeign([clerk], name)).toBeUndefined();
  },
);
