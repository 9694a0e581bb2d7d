import type { IdClaims, Requirement, WantedType } from "./foreign-claims";
import type { IssuerAlgorithm } from "./issuer-keys";
import type { IssuerKeySource } from "./key-source";

/** An issuer whose tokens are accepted, and what those must look like. */
export type TrustedIssuer = {
  readonly name: string;
  /** The exact `iss` of its tokens. */
  readonly issuer: string;
  readonly keys: IssuerKeySource;
  /** Null: tokens for any audience are accepted. */
  readonly audience: readonly string[] | null;
  /** The same for logout tokens. */
  readonly logoutAudience: readonly string[] | null;
  readonly algorithms: readonly IssuerAlgorithm[];
  /** Undefined: any, except the types of own tokens and of logout tokens. */
  readonly typ: readonly WantedType[] | undefined;
  readonly claims: IdClaims;
  readonly required: readonly Requirement[];
  /** How far its clock may be ahead of ours, for `iat` and for what a cut-off covers. */
  readonly clockLeadSeconds: number;
  readonly maxLifetimeSeconds: number;
  /** Whether tokens that were issued before the denylist's epoch are refused. */
  readonly sinceEpoch: boolean;
};
