import { z } from "zod";
import { subjectOf, type Token, type Tokens } from "../auth/tokens";
import type { Denylist, Refusal } from "../denylist/denylist";
import { foreign } from "../denylist/entry";
import { beganAt } from "../denylist/past/epochs";
import { attempt, CurfewError } from "../errors";
import type { Sessions } from "../sessions/sessions";
import type { RefreshTokens } from "../tokens/refresh-tokens";
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

const Named = z.object({
  kind: z.enum(["own", "foreign", "refresh"]),
  ...{ sub: z.string(), jti: z.string().nullable(), sid: z.string().nullable() },
  ...{ issued_at: z.iso.datetime().nullable(), expires_at: z.iso.datetime() },
});

export const Explanation = z.object({
  verdict: z
    .enum(["alive", "dead", "not_genuine", "unknown"])
    .describe(
      "unknown: nothing is denied by that jti, and whether there is such a token can't be told from it alone",
    ),
  rules: z.array(Rule).describe("Every rule that refuses it; none if it is accepted"),
  token: Named.nullable().describe("What a genuine token says of itself"),
});

export type Explanation = z.infer<typeof Explanation>;
export type Rule = z.infer<typeof Rule>;

export type WhyParts = {
  tokens: Tokens;
  refreshTokens: RefreshTokens;
  denylist: Denylist;
  sessions: Pick<Sessions, "isLive">;
  entries: Entries;
};

/**
 * Says whether a token is accepted, and every rule that refuses it. The verdict comes from the very code that guards
 * requests. A forged token proves nothing: nothing is looked up for it, and nothing that it says is repeated.
 */
export function createWhy({ tokens, refreshTokens, denylist, sessions, entries }: WhyParts) {
  async function withEntry(rule: string, message: string, key: string): Promise<Rule> {
    const place = entries.placeOf(key);
    const [entry] = place ? await entries.read([place]) : [];
    const uses = await entries.usesOf(key);
    return { rule, message, ...(entry && { entry }), ...(uses && { uses }) };
  }

  async function ruleOf(refusal: Refusal): Promise<Rule> {
    if (refusal.rule !== "epoch") return withEntry(refusal.rule, ENTRY[refusal.rule], refusal.key);
    const since = dateOf(beganAt(refusal.epoch) * 1000) ?? "a time that no date can say";
    return { rule: "epoch", message: `It is from before the denylist's epoch, which began at ${since}.` };
  }

  const rulesAgainst = async (claims: Token): Promise<Rule[]> =>
    Promise.all((await denylist.refusalsOf(claims)).map(ruleOf));

  async function whyAccess(token: string): Promise<Explanation> {
    const { claims, rules } = await judge(tokens, token);
    if (!claims) return { verdict: rules.some(isForged) ? "not_genuine" : "dead", rules, token: null };
    const all = [...rules, ...(await rulesAgainst(claims))];
    return { verdict: all.length === 0 ? "alive" : "dead", rules: all, token: describe(claims) };
  }

  return {
    /** The denylist's rules that refuse it. */
    rulesAgainst,

    /** Of an access token or a refresh token. */
    async token(text: string): Promise<Explanation> {
      const refresh = attempt(() => refreshTokens.verify(text));
      if (!refresh) return whyAccess(text);
      const { sub, sid, exp } = refresh;
      const isLive = await sessions.isLive(refresh);
      const rules = isLive ? [] : [{ rule: "session", message: SESSION_OVER }];
      const token = {
        kind: "refresh" as const,
        sub,
        jti: null,
        sid,
        issued_at: null,
        expires_at: rfc3339(exp),
      };
      return { verdict: isLive ? "alive" : "dead", rules, token };
    },

    /** Of a token that is known by its id alone: by its own entry, and by its session's, where that one names it. */
    async jti(jti: string): Promise<Explanation> {
      const [own] = await entries.find("token", jti);
      const rules = own ? [await withEntry("jti", ENTRY.jti, own.key)] : [];
      const [session] = own?.sid ? await entries.find("session", idOfSession(own.id, own.sid)) : [];
      if (session) rules.push(await withEntry("sid", ENTRY.sid, session.key));
      return { verdict: rules.length === 0 ? "unknown" : "dead", rules, token: null };
    },
  };
}

export type Why = ReturnType<typeof createWhy>;

/** As it stands in the key. A foreign token's id there begins with its issuer's name, and its session's must, too. */
function idOfSession(tokenId: string, sid: string): string {
  const [, issuer] = /^([^:]+):/.exec(tokenId) ?? [];
  return issuer === undefined ? sid : foreign(issuer, sid);
}

const ENTRY = {
  jti: "This token was revoked.",
  sid: "Its session was ended.",
  sub: "All tokens that its subject had up to then were revoked.",
};
const SESSION_OVER = "Its session is over, or the token was exchanged for a newer one.";

type Judged = { claims: Token | undefined; rules: Rule[] };

/** Verifies a token just as the guard does, and says what is wrong with it; its claims only if it is genuine. */
async function judge(tokens: Tokens, token: string): Promise<Judged> {
  try {
    return { claims: await tokens.verify(token), rules: [] };
  } catch (error) {
    if (!(error instanceof CurfewError)) throw error;
    if (error.code === "token_expired") return { claims: await onceAlive(tokens, token), rules: [EXPIRED] };
    if (error.code !== "token_invalid") throw error;
    if (error.rule === undefined) return { claims: undefined, rules: [FORGED] };
    return { claims: await onceAlive(tokens, token), rules: [wrongClaim(error.rule)] };
  }
}

const onceAlive = (tokens: Tokens, token: string): Promise<Token | undefined> =>
  tokens.verify(token, { allowExpired: true }).catch((error: unknown) => {
    if (error instanceof CurfewError && error.code === "token_invalid") return undefined;
    throw error;
  });

const FORGED = { rule: "signature", message: "None of our keys, nor any trusted issuer's, signed this." };
const EXPIRED = { rule: "exp", message: "It has expired." };

const isForged = ({ rule }: Rule) => rule === FORGED.rule;

const wrongClaim = (rule: string) => ({
  rule,
  message: `Its signature is good, but it isn't accepted here: ${rule} is wrong.`,
});

function describe(claims: Token): z.infer<typeof Named> {
  const { kind, jti, sid = null, iat, exp } = claims;
  return { kind, sub: subjectOf(claims), jti, sid, issued_at: rfc3339(iat), expires_at: rfc3339(exp) };
}

const rfc3339 = (seconds: number) => new Date(seconds * 1000).toISOString();
