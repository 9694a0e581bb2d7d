import { assertThat } from "../tokens/access-tokens";
import { rememberVerified } from "../tokens/verified";
import { assertHasRequired, isForOneOf, isOfType, readIds, readTimes } from "./foreign-claims";
import type { JwksOptions } from "./jwks";
import { createLogoutTokens, isLogoutEvent, type LogoutTokens } from "./logout-tokens";
import { createSignatures, split, type IssuerWarning, type Parts, type SignedBy } from "./signatures";
import type { TrustedIssuer } from "./trusted-issuer";

/**
 * A trusted issuer's token, verified. Its ids are as the issuer wrote them; a missing id is a hash of the signed part.
 */
export type ForeignToken = {
  kind: "foreign";
  /** The issuer's name in Curfew's settings. */
  issuer: string;
  iss: string;
  sub: string;
  jti: string;
  sid: string | undefined;
  /** The ids as they appear in Redis keys, after the issuer's name. */
  keyIds: { sub: string; jti: string; sid: string | undefined };
  iat: number;
  exp: number;
  sinceEpoch: boolean;
  clockLeadSeconds: number;
  maxLifetimeSeconds: number;
  claims: Record<string, unknown>;
};

/** A token that claims to be from a trusted issuer. */
export type Claimed = {
  issuer: TrustedIssuer;
  /**
   * Throws `token_invalid` unless the token is genuine, `token_expired` if it has expired and that isn't allowed, and
   * `issuer_unavailable` while the issuer's keys can't be fetched, because then the token can't be judged.
   */
  verify(options?: { allowExpired: boolean }): Promise<ForeignToken>;
};

export type ForeignTokens = {
  /** Returns the trusted issuer that the token names, if any. Nothing is verified yet. */
  claimsToBeFrom(token: string): Claimed | undefined;
  /** The tokens with which issuers say that somebody logged out there. */
  logoutTokens: LogoutTokens;
  /** The issuers whose keys couldn't be fetched lately. */
  warnings: () => IssuerWarning[];
};

export type ForeignTokenOptions = JwksOptions & { clockToleranceSeconds: number };

export function createForeignTokens(
  issuers: readonly TrustedIssuer[],
  options: ForeignTokenOptions,
): ForeignTokens & { close(): void } {
  const { clockToleranceSeconds } = options;
  const signatures = createSignatures(issuers, options);
  const verified = rememberVerified<Known>();

  async function verifyBy(
    issuer: TrustedIssuer,
    token: string,
    parts: Parts,
    { allowExpired } = { allowExpired: false },
  ): Promise<ForeignToken> {
    const bounds = { clockLeadSeconds: issuer.clockLeadSeconds, clockToleranceSeconds, allowExpired };
    const known = verified.get(token);
    if (known && (await signatures.isStillGood(issuer, known))) {
      readTimes(known.token.claims, bounds);
      return copyOf(known.token);
    }
    const { header, claims, kid, key } = await signatures.readGenuine(issuer, token, parts);
    assertThat(isOfType(issuer.typ, header["typ"]), "typ");
    // A logout token whose type is that of any other token.
    assertThat(!isLogoutEvent(claims["events"]), "events");
    assertThat(isForOneOf(issuer.audience, claims["aud"]), "aud");
    assertHasRequired(issuer.required, claims);
    const times = readTimes(claims, bounds);
    // A logout must work with a token that was issued before max_lifetime was lowered.
    assertThat(allowExpired || times.exp - times.iat <= issuer.maxLifetimeSeconds, "max_lifetime");
    const read: ForeignToken = {
      ...{ kind: "foreign", ...describe(issuer), ...readIds(token, claims, issuer.claims), ...times },
      claims: freeze(claims),
    };
    if (!allowExpired) verified.set(token, { kid, key, issuer, token: read });
    return copyOf(read);
  }

  return {
    claimsToBeFrom(token) {
      if (issuers.length === 0) return undefined;
      const parts = split(token);
      const issuer = parts && (verified.get(token)?.issuer ?? signatures.findIssuer(parts));
      return issuer && { issuer, verify: (how) => verifyBy(issuer, token, parts, how) };
    },
    logoutTokens: createLogoutTokens(signatures, clockToleranceSeconds),
    warnings: signatures.warnings,
    close: signatures.close,
  };
}

/** A token that was verified, and with which key. */
type Known = SignedBy & { issuer: TrustedIssuer; token: ForeignToken };

/** Whoever gets the token may change it, but for what is nested in its claims. */
const copyOf = (token: ForeignToken): ForeignToken => ({
  ...token,
  keyIds: { ...token.keyIds },
  claims: { ...token.claims },
});

/** All that is nested in it, too. */
function freeze<T extends object>(value: T): T {
  for (const each of Object.values(value))
    if (typeof each === "object" && each !== null) freeze(each as object);
  return Object.freeze(value);
}

const describe = ({ name, issuer, sinceEpoch, clockLeadSeconds, maxLifetimeSeconds }: TrustedIssuer) => ({
  issuer: name,
  iss: issuer,
  sinceEpoch,
  clockLeadSeconds,
  maxLifetimeSeconds,
});
