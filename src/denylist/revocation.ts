import { isKind, REASONS, type Kind, type Reason } from "./entry";

/**
 * What was revoked: one token, one session with all its tokens, all that a user had so far, or everything, when the
 * denylist was lost.
 */
export type Revocation =
  | {
      readonly kind: Kind;
      /**
       * A user's id, or `<issuer name>:<sub>` as the issuer spells it; null for a token that was revoked by its id
       * alone.
       */
      readonly sub: string | null;
      readonly sid?: string;
      readonly jti?: string;
      readonly reason: Reason;
      readonly at: string;
    }
  | { readonly kind: "everything"; readonly at: string };

/** Undefined for an event that isn't a revocation, or is only its repetition in another shard. */
export function readRevocation(fields: readonly string[]): Revocation | undefined {
  const field = (name: string) => fields.find((_, at) => at % 2 === 1 && fields[at - 1] === name) ?? "";
  const kind = field("kind");
  const reason = REASONS.find((each) => each === field("event"));
  if (!isKind(kind) || !reason) return undefined;
  const [sub, sid, jti] = [field("sub"), field("sid"), field("jti")];
  return {
    kind,
    sub: sub === "" ? null : sub,
    ...(sid !== "" && { sid }),
    ...(jti !== "" && { jti }),
    reason,
    at: field("timestamp"),
  };
}
