/** What each code says to a client. One constant sentence a code: an answer can't tell more than its code does. */
const MESSAGES = {
  invalid_request: "The request is not valid.",
  invalid_json: "The request body is not valid JSON.",
  token_missing: "No token was sent.",
  token_invalid: "The access token is not valid.",
  token_expired: "The access token has expired.",
  token_revoked: "The access token has been revoked.",
  invalid_credentials: "The credentials are wrong.",
  refresh_token_invalid: "The refresh token is not valid, or its session is over.",
  refresh_token_reused: "The refresh token was used before. Its session has been ended.",
  insufficient_role: "The token lacks a role that this takes.",
  own_session_required: "This takes a session of ours; the token is of another issuer.",
  cross_site_request: "This request comes from a page of another site.",
  not_found: "There is nothing here.",
  method_not_allowed: "This route does not answer to that method.",
  email_taken: "An account with this e-mail address exists already.",
  body_too_large: "The request body is too large.",
  unsupported_media_type: "The request body is not of the media type that this takes, or not in UTF-8.",
  rate_limited: "There were too many requests. Try again later.",
  denylist_unavailable: "The denylist can't be reached. Nothing is accepted until it can; try again soon.",
  overloaded: "Too many requests are waiting. Try again soon.",
  stopping: "This instance is stopping. Another one answers.",
  internal: "Something went wrong here.",
} as const;

export type ErrorCode = keyof typeof MESSAGES;

/** One thing that is wrong with a request: where, and what. */
export type Problem = { path: string; message: string };

type Extra = { cause?: unknown; details?: Problem[]; about?: Record<string, string>; isNews?: boolean };

/** A refusal that a client may be shown. `cause`, and `about` whom or what it is, are for the log and stay in the process. */
export class CurfewError extends Error {
  readonly code: ErrorCode;
  readonly details: Problem[] | undefined;
  readonly about: Record<string, string>;
  /** Whether those who watch over the service want to be told of it. */
  readonly isNews: boolean;

  constructor(code: ErrorCode, { cause, details, about = {}, isNews = true }: Extra = {}) {
    super(MESSAGES[code], { cause });
    this.name = "CurfewError";
    this.code = code;
    this.details = details;
    this.about = about;
    this.isNews = isNews;
  }
}

/** What a check gives, or undefined where it refuses. */
export function attempt<T>(check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (error instanceof CurfewError) return undefined;
    throw error;
  }
}

/** An error's message, without what Redis quotes of the command that it didn't like: a password, perhaps. */
export const loggable = (error: Error) => error.message.replace(/,? with args beginning with:.*/s, "");
