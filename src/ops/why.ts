import { z } from "zod";
import type { Token, Tokens } from "../auth/tokens";
import { subjectOf } from "../denylist/entry";
import { attempt, CurfewError } from "../errors";
import type { Sessions } from "../sessions/sessions";
import { isOver, type RefreshTokens } from "../tokens/refresh-tokens";
import { dateOf } from "./dates";
import { Rule, type Rules } from "./rules";

const Named = z.object({
  kind: z.enum(["own", "foreign", "refresh"]),
  ...{ sub: z.string(), jti: z.string().nullable(), sid: z.string().nullable() },
  ...{ issued_at: z.iso.datetime().nullable(), expires_at: z.iso.datetime().nullable() },
});

export const Explanation = z
  .object({
    verdict: z
      .enum(["alive", "dead", "not_genuine", "unknown"])
      .describe(
        "unknown: nothing is denied by that jti, and whether there is such a token can't be told from it alone",
      ),
    rules: z.array(Rule).describe("Every rule that refuses it; none if it is accepted"),
    token: Named.nullable().describe("What a genuine token says of itself"),
  })
  .meta({ id: "Explanation" });

export type Explanation = z.infer<typeof Explanation>;

export type WhyParts = {
  tokens: Tokens;
  refreshTokens: RefreshTokens;
  sessions: Pick<Sessions, "isLive">;
  rules: Rules;
};

/** Explains a token that is known by its id alone. */
export async function whyJti(denied: Rules, jti: string): Promise<Explanation> {
  const rules = await denied.ofJti(jti);
  return { verdict: rules.length === 0 ? "unknown" : "dead", rules, token: null };
}

/**
 * Says whether a token is accepted, and every rule that refuses it. The verdict comes from the very code that guards
 * requests. A forged token proves nothing: nothing is looked up for it, and nothing that it says is repeated.
 */
export function createWhy({ tokens, refreshTokens, sessions, rules: denied }: WhyParts) {
  async function whyAccess(token: string): Promise<Explanation> {
    const { claims, rules } = await judge(tokens, token);
    if (!claims) return { verdict: rules.some(isForged) ? "not_genuine" : "dead", rules, token: null };
    const all = [...rules, ...(await denied.against(claims))];
    return { verdict: all.length === 0 ? "alive" : "dead", rules: all, token: describe(claims) };
  }

  return {
    /** Of a token that is known by its id alone. */
    jti: (jti: string) => whyJti(denied, jti),

    /** Of an access token or a refresh token. */
    async token(text: string): Promise<Explanation> {
      const refresh = attempt(() => refreshTokens.verify(text, { allowExpired: true }));
      if (!refresh) return whyAccess(text);
      const { sub, sid, exp } = refresh;
      const isLive = await sessions.isLive(refresh);
      const rules = [...(isOver(exp) ? [EXPIRED] : []), ...(isLive ? [] : [SESSION_OVER])];
      const token = {
        kind: "refresh" as const,
        sub,
        jti: null,
        sid,
        issued_at: null,
        expires_at: dateOf(exp * 1000),
      };
      return { verdict: rules.length === 0 ? "alive" : "dead", rules, token };
    },
  };
}

const SESSION_OVER = {
  rule: "session",
  message: "Its session is over, or the token was exchanged for a newer one.",
};

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
  return {
    kind,
    sub: subjectOf(claims),
    jti,
    sid,
    issued_at: dateOf(iat * 1000),
    expires_at: dateOf(exp * 1000),
  };
}
