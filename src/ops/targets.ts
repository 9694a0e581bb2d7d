import type { Token, Tokens } from "../auth/tokens";
import { foreign, subjectOf } from "../denylist/entry";
import type { NamedToken } from "../denylist/revoker";
import { CurfewError } from "../errors";
import { isPlainId } from "../tokens/ids";
import { keyIdOf } from "../issuers/foreign-ids";
import type { TrustedIssuer } from "../issuers/trusted-issuer";

/**
 * What is to be revoked: a token by its id and when it expires (Unix seconds), or one that is named already; a session;
 * a user. Without `exp`, its entry lives as long as the longest-lived token that is minted now.
 */
export type NamedTarget =
  { jti: string; exp?: number | undefined } | { named: NamedToken } | { session: string } | { user: string };

/** The same, where a token itself will do, too. */
export type Target = { token: string } | Exclude<NamedTarget, { named: NamedToken }>;

/** How long tokens live at most: foreign ones as their issuer's entry says, ours as ours are minted. */
export type Lifetimes = { issuers: readonly TrustedIssuer[]; accessTtlSeconds: number };

/** A name that begins with a trusted issuer's, and what the issuer calls it. With nothing behind the issuer's it names nothing. */
export function readForeign(issuers: readonly TrustedIssuer[], name: string) {
  const issuer = issuers.find(
    (each) => name.startsWith(`${each.name}:`) && name.length > each.name.length + 1,
  );
  if (!issuer) return undefined;
  const { issuer: iss, clockLeadSeconds, maxLifetimeSeconds, sinceEpoch } = issuer;
  const id = name.slice(issuer.name.length + 1);
  return {
    id,
    issuer: issuer.name,
    iss,
    keyId: keyIdOf(id),
    clockLeadSeconds,
    maxLifetimeSeconds,
    sinceEpoch,
  };
}

/** The names of a genuine token, alive or not. A forged one proves nothing, and throws `invalid_request`. */
export async function nameToken(tokens: Tokens, text: string): Promise<NamedToken> {
  const token = await tokens.verify(text, { allowExpired: true }).catch(refuseForged);
  const { jti, sid, iat, exp } = token;
  return { sub: subjectOf(token), jti, ...(sid !== undefined && { sid }), iat, exp, ...issuedBy(token) };
}

/** A token by its id alone: one of ours, or a foreign one behind its issuer's name. No other could be refused by it. */
export function nameJti(lifetimes: Lifetimes, jti: string, given: number | undefined): NamedToken {
  const named = readForeign(lifetimes.issuers, jti);
  const longestSeconds = named
    ? named.maxLifetimeSeconds + named.clockLeadSeconds
    : lifetimes.accessTtlSeconds;
  const exp = given ?? Math.ceil(Date.now() / 1000) + longestSeconds;
  if (!named && !isPlainId(jti)) {
    const message = "is neither the id of a token of ours nor one behind the name of a trusted issuer";
    throw new CurfewError("invalid_request", { details: [{ path: "jti", message }] });
  }
  if (!named) return { jti, exp };
  return { jti: named.id, exp, foreign: { iss: named.iss, keyId: foreign(named.issuer, named.keyId) } };
}

const issuedBy = (token: Token) =>
  token.kind === "foreign"
    ? { foreign: { iss: token.iss, keyId: foreign(token.issuer, token.keyIds.jti) } }
    : {};

function refuseForged(error: unknown): never {
  if (!(error instanceof CurfewError && error.code === "token_invalid")) throw error;
  const message = "is not a genuine token of ours or of a trusted issuer";
  throw new CurfewError("invalid_request", { details: [{ path: "token", message }] });
}
