import { REASONS, type Reason } from "./entry";

/** What was revoked: one token, one session with all its tokens, all that a user had so far, or, the denylist being lost, everything. */
export type Revocation =
  | {
      readonly kind: "token" | "session" | "user";
      /** A user id, or `<issuer name>:<subject>` as the issuer writes it; null for a token that was revoked by its id alone. */
      readonly sub: string | null;
      readonly sid?: string;
      readonly jti?: string;
      readonly reason: Reason;
      readonly at: string;
    }
  | { readonly kind: "everything"; readonly at: string };

/** Undefined for an event that is no revocation, or tells nobody anything new. */
export function readRevocation(fields: readonly string[]): Revocation | undefined {
  const field = (name: string) => fields.find((_, at) => at % 2 === 1 && fields[at - 1] === name) ?? "";
  const kind = KINDS.find((each) => each === field("kind"));
  const reason = REASONS.find((each) => each === field("event"));
  if (!kind || !reason) return undefined;
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

const KINDS = ["token", "session", "user"] as const;
