import type { Request } from "express";
import type { Logger } from "pino";
import { z } from "zod";
import type { Auth } from "../../auth/auth";
import type { Alarms } from "../../denylist/alarms";
import { CurfewError, type ErrorCode } from "../../errors";
import { logRule } from "../../log/refusals";
import type { Meter } from "../../metrics/meter";
import type { RefreshToken } from "../../tokens/refresh-tokens";
import { audienceOf, type Token } from "../../auth/tokens";
import { subjectOf } from "../../denylist/entry";
import { clientOf, requesterOf } from "../request/caller";
import { useOf, type Tell } from "../request/request-log";
import { endpoint } from "../router";

// The one body that isn't strict: RFC 7009 §2.1, RFC 7662 §2.1 and RFC 6749 §3.2 let clients send unknown fields. A
// token's form shows which kind it is, so the hint isn't needed.
const TokenForm = z.object({
  token: z.preprocess(
    (value) => (typeof value === "string" ? value : ""),
    z.string().min(1, "must be sent, and once"),
  ),
  token_type_hint: z.unknown().optional().describe("Ignored"),
});

const Introspection = z
  .discriminatedUnion("active", [
    z.strictObject({ active: z.literal(false) }),
    z.strictObject({
      active: z.literal(true),
      token_type: z.enum(["Bearer", "refresh_token"]),
      iss: z.string().optional(),
      sub: z.string(),
      aud: z.union([z.string(), z.array(z.string())]).optional(),
      scope: z.string().optional().describe("Separated by spaces"),
      client_id: z.string().optional(),
      jti: z.string().optional(),
      sid: z.string().optional(),
      iat: z.number().optional(),
      exp: z.number(),
      roles: z.array(z.string()).optional(),
    }),
  ])
  .meta({ id: "Introspection" });

type Introspection = z.infer<typeof Introspection>;

export type OAuthParts = { auth: Auth; tell: Tell; alarms: Alarms; meter: Meter; log: Logger };

/** RFC 7009 and RFC 7662, for clients: services that receive tokens, own or foreign. */
export function createOAuthEndpoints({ auth, tell, alarms, meter, log }: OAuthParts) {
  const check = meter.countVerdicts((token: string) => auth.introspect(token));

  /** The client is answered as if the token had never been valid; the log has why. */
  const explain = (req: Request, error: unknown) => {
    logRule(log, error, { request_id: req.res?.get("X-Request-Id") });
  };

  async function introspectionOf(req: Request, token: string): Promise<Introspection> {
    try {
      return describe(await check(token));
    } catch (error) {
      if (!(error instanceof CurfewError && MEANS_DEAD.has(error.code))) throw error;
      explain(req, error);
      alarms.raise(error, useOf(req, clientOf(req)));
      return { active: false };
    }
  }

  const introspect = endpoint({
    name: "introspect",
    summary: "Tell a client whether a token is alive, and its claims (RFC 7662)",
    body: TokenForm,
    answers: {
      200: {
        description: "The claims of a live token; for any other, only that it isn't active",
        schema: Introspection,
      },
    },
    errors: ["denylist_unavailable", "issuer_unavailable"],
    async handle(req, res, { token }) {
      res.json(await introspectionOf(req, token));
    },
  });

  const revoke = endpoint({
    name: "revokeAsClient",
    summary: "Revoke a token and end its session, on behalf of a client (RFC 7009)",
    body: TokenForm,
    answers: { 200: { description: "The token is refused from now on, if it was ever valid" } },
    errors: ["denylist_unavailable", "issuer_unavailable"],
    async handle(req, res, { token }) {
      const client = clientOf(req);
      const whose = await auth.revoke(token, client, requesterOf(req)).catch((error: unknown) => {
        // While an issuer's keys can't be fetched, the token may be alive, so every other error is passed on.
        if (!(error instanceof CurfewError && error.code === "token_invalid")) throw error;
        explain(req, error);
      });
      if (whose) tell(req, "revoked_by_client", { ...whose, client });
      res.status(200).end();
    },
  });

  return { introspect, revoke };
}

/** The codes that mean a dead token. `denylist_unavailable` isn't one: then the token may be alive. */
const MEANS_DEAD = new Set<ErrorCode>([
  "token_invalid",
  "token_expired",
  "token_revoked",
  "refresh_token_invalid",
]);

function describe(token: Token | RefreshToken): Introspection {
  if ("generation" in token) {
    const { sub, sid, exp } = token;
    return { active: true, token_type: "refresh_token", sub, sid, exp };
  }
  const { iss, jti, sid, iat, exp } = token;
  const aud = audienceOf(token);
  const { scope, client_id } = token.kind === "foreign" ? token.claims : { ...token, scope: undefined };
  return {
    active: true,
    token_type: "Bearer",
    iss,
    // A foreign subject is prefixed with its issuer's name, so that no issuer can name one of our users.
    sub: subjectOf(token),
    ...(aud !== undefined && { aud }),
    ...(typeof scope === "string" && { scope }),
    ...(typeof client_id === "string" && { client_id }),
    jti,
    ...(sid !== undefined && { sid }),
    iat,
    exp,
    ...(token.kind === "own" && { roles: token.roles }),
  };
}
