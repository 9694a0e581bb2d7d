import type { IncomingMessage, ServerResponse } from "node:http";
import type { Request, Response } from "express";
import { z } from "zod";
import { Roles } from "../accounts/accounts";
import type { LoggedIn } from "../auth/app-login";
import type { Auth } from "../auth/auth";
import { readsAsForeign } from "../tokens/ids";
import { withinBudget } from "../redis/budget";
import { neverCached } from "./answer/never-cached";
import { handOver } from "./answer/tokens-answer";
import { requesterOf } from "./request/caller";
import type { Cookies } from "./request/cookies";
import type { Transport } from "./request/credentials";
import type { Tell } from "./request/request-log";

/**
 * Somebody whom an app has logged in by itself: by a passkey, a magic link or another provider. `id` is what
 * `accounts.findById` takes. Roles are those of the first access token; left out, they are the account's. `transport` is
 * `"bearer"` unless it says `"cookie"`.
 */
export type UserToOpen = {
  id: string;
  roles?: readonly string[] | undefined;
  email?: string | null | undefined;
  transport?: Transport | undefined;
};

/** What a client gets at login. With the transport `"cookie"`, the two tokens are only in the cookies. */
export type SessionTokens = {
  access_token?: string | undefined;
  token_type: "Bearer";
  expires_in: number;
  refresh_token?: string | undefined;
  refresh_expires_in: number;
  user: { id: string; email: string | null; roles: string[] };
};

export type OpenSession = (
  req: IncomingMessage,
  res: ServerResponse,
  user: UserToOpen,
) => Promise<SessionTokens>;

export type OpenSessionParts = {
  auth: Pick<Auth, "openSession">;
  cookies: Cookies;
  tell: Tell;
  timeoutMs: number;
  /** The names of the trusted issuers: an id that begins with one would be read as a foreign subject. */
  issuers: readonly string[];
};

const WRITE =
  'Write await curfew.openSession(req, res, { id, roles: ["…"], transport: "bearer" }), with the request and the response that Express gave you; id is a text, roles have no commas.';

export function createOpenSession({
  auth,
  cookies,
  tell,
  timeoutMs,
  issuers,
}: OpenSessionParts): OpenSession {
  return async function openSession(incoming, outgoing, given) {
    const [req, res] = [incoming as Request | undefined, outgoing as Response | undefined];
    const isExpress = typeof req?.get === "function" && typeof res?.cookie === "function";
    const { user, transport } = readUserToOpen(given);
    if (!req || !res || !isExpress || readsAsForeign(user.id, issuers)) throw new TypeError(WRITE);
    // First, because it throws if the answer has begun, and nobody would get the session's tokens.
    neverCached(req, res, () => undefined);
    const grant = await withinBudget(timeoutMs, () => auth.openSession(user, requesterOf(req)));
    tell(req, "login", { sub: grant.account.id, sid: grant.sid });
    return handOver(res, grant, transport, cookies);
  };
}

/** An app may pass on its user as it is, so other members are left aside. */
const Given = z.object({
  id: z.string().min(1),
  roles: Roles.optional(),
  email: z.string().nullish(),
  transport: z.enum(["bearer", "cookie"]).default("bearer"),
});

function readUserToOpen(given: unknown): { user: LoggedIn; transport: Transport } {
  const { data } = Given.safeParse(given);
  if (!data) throw new TypeError(WRITE);
  const { id, roles, email, transport } = data;
  return { user: { id, roles, email: email ?? undefined }, transport };
}
