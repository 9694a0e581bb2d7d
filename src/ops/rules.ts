import { z } from "zod";
import type { Token } from "../auth/tokens";
import type { Denylist, Refusal } from "../denylist/denylist";
import { foreign } from "../denylist/entry";
import { beganAt } from "../denylist/past/epochs";
import { dateOf } from "./dates";
import { Entry, Uses, type Entries } from "./entries";

export const Rule = z.object({
  rule: z
    .string()
    .describe("signature, exp, jti, sid, sub or epoch, session; else the claim that is wrong, such as aud"),
  message: z.string(),
  entry: Entry.optional(),
  uses: Uses.optional().describe("How often the entry refused a token"),
});

export type Rule = z.infer<typeof Rule>;

export type Rules = ReturnType<typeof createRules>;

/** Says which of the denylist's rules refuse a token, with the entries that do. */
export function createRules(denylist: Pick<Denylist, "refusalsOf">, entries: Entries) {
  async function withEntry(rule: keyof typeof ENTRY, key: string): Promise<Rule> {
    const place = entries.placeOf(key);
    const [entry] = place ? await entries.read([place]) : [];
    const uses = await entries.usesOf(key);
    return { rule, message: ENTRY[rule], ...(entry && { entry }), ...(uses && { uses }) };
  }

  async function ruleOf(refusal: Refusal): Promise<Rule> {
    if (refusal.rule !== "epoch") return withEntry(refusal.rule, refusal.key);
    const since = dateOf(beganAt(refusal.epoch) * 1000) ?? "a time that no date can say";
    return { rule: "epoch", message: `It is from before the denylist's epoch, which began at ${since}.` };
  }

  return {
    /** Of a token that was verified: from the very code that guards requests. */
    against: async (claims: Token): Promise<Rule[]> =>
      Promise.all((await denylist.refusalsOf(claims)).map(ruleOf)),

    /** Of a token that is known by its id alone: by its own entry, and by its session's, where that one names it. */
    async ofJti(jti: string): Promise<Rule[]> {
      const [own] = await entries.find("token", jti);
      if (!own) return [];
      const [session] = own.sid === null ? [] : await entries.find("session", sessionIn(own.id, own.sid));
      return Promise.all([withEntry("jti", own.key), ...(session ? [withEntry("sid", session.key)] : [])]);
    },
  };
}

const ENTRY = {
  jti: "This token was revoked.",
  sid: "Its session was ended.",
  sub: "All tokens that its subject had up to then were revoked.",
};

/** Entries have a foreign session as its issuer calls it; its key begins with the issuer's name, as the token's does. */
function sessionIn(tokenId: string, sid: string): string {
  const [issuer = "", rest] = tokenId.split(":", 2);
  return rest === undefined ? sid : foreign(issuer, sid);
}
