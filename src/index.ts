export type { Account, Accounts } from "./accounts/accounts";
export { createCurfew, type Curfew } from "./curfew";
export type { Revocation } from "./denylist/revocation";
export { CurfewError, type ErrorCode } from "./errors";
export type { Guard, Guarded, Middleware } from "./http/middleware";
export type { RoutesOptions, TokenRequirement } from "./http/mount";
export type { SessionTokens, UserToOpen } from "./http/open-session";
export type { Key } from "./settings/keys";
export type { CurfewOptions } from "./settings/options";
export {
  isEndedBy,
  type AppReason,
  type ForeignSubject,
  type TokenToRevoke,
  type Why,
} from "./denylist/revoking";
export type { Claims } from "./auth/tokens";
