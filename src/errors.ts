type Row = {
  /** The HTTP status. */
  status: number;
  /**
   * What a client is told. It is one constant sentence per code, so that an answer reveals no more than its code. Where
   * it isn't (`CurfewError.message`), the sentence depends only on the route and on what the client wrote.
   */
  message: string;
  /** When it happens, and what the caller should do then; both are for the documentation. */
  when: string;
  todo: string;
  /** True if it refuses the access token that was sent: then the challenge says `error="invalid_token"`. */
  blamesToken?: true;
};

/** Every code that a client can be refused with. `docs/errors.md` is printed from it. */
const ROWS = {
  invalid_request: {
    status: 400,
    message: "The request is not valid.",
    when: "The body, a header or the path isn't as described; `details: [{path, message}]` says where.",
    todo: "Correct the request.",
  },
  invalid_json: {
    status: 400,
    message: "The request body is not valid JSON.",
    when: "The body is not JSON.",
    todo: "Correct the request.",
  },
  token_missing: {
    status: 401,
    message: "No token was sent.",
    when: "No access token was sent, or nothing to log out or to refresh with.",
    todo: "Log in.",
  },
  token_invalid: {
    status: 401,
    message: "The access token is not valid.",
    when: "The access token isn't genuine, or isn't for this service.",
    todo: "Log in.",
    blamesToken: true,
  },
  token_expired: {
    status: 401,
    message: "The access token has expired.",
    when: "The access token is genuine, but its lifetime is over.",
    todo: "Refresh.",
    blamesToken: true,
  },
  token_revoked: {
    status: 401,
    message: "The access token has been revoked.",
    when: "The access token or its session was revoked, or Redis has lost its data since the token was issued. `reason` and `revoked_at` say why and since when, where that is known.",
    todo: "Log in.",
    blamesToken: true,
  },
  invalid_credentials: {
    status: 401,
    message: "The credentials are wrong.",
    when: "The e-mail address or the password is wrong, or under `/oauth` the client's id or secret. The answer doesn't say which.",
    todo: "Ask for the credentials again.",
  },
  refresh_token_invalid: {
    status: 401,
    message: "The refresh token is not valid, or its session is over.",
    when: "The refresh token is forged, past its lifetime or somebody else's, or its session has ended. `reason` and `revoked_at` say why and since when, where that is known.",
    todo: "Log in.",
  },
  refresh_token_reused: {
    status: 401,
    message: "The refresh token was used before. Its session has been ended.",
    when: "The refresh token was exchanged before; its session has been ended.",
    todo: "Log in. If you didn't send it twice yourself, somebody else has a copy.",
  },
  insufficient_role: {
    status: 403,
    message: "The token lacks a role that this requires.",
    when: "The token lacks a role that the route requires: `ops` under `/api/ops`, or one that an app which mounts Curfew asks for.",
    todo: "Ask the person who assigns roles.",
  },
  own_session_required: {
    status: 403,
    message: "This requires one of our own sessions, but the token is from another issuer.",
    when: "A foreign token was sent to a route that only works for Curfew's own sessions: sessions, password.",
    todo: "Use what the token's issuer offers for this.",
  },
  cross_site_request: {
    status: 403,
    message: "This request comes from a page of another site.",
    when: "A page of another site sent a request that would act with the visitor's cookies.",
    todo: "Call from your own site, or have the origin added to `CORS_ORIGINS`.",
  },
  not_found: {
    status: 404,
    message: "There is nothing here.",
    when: "There is no such route, or the caller has no such session.",
    todo: "Correct the path.",
  },
  method_not_allowed: {
    status: 405,
    message: "This route does not support that method.",
    when: "The route exists, but doesn't support this method.",
    todo: "Use one of the methods in `Allow`.",
  },
  email_taken: {
    status: 409,
    message: "An account with this e-mail address already exists.",
    when: "This address is already registered.",
    todo: "Log in.",
  },
  body_too_large: {
    status: 413,
    message: "The request body is too large.",
    when: "The body is larger than 16 KiB. The answer comes at once, before the rest of the body, and the connection is closed.",
    todo: "Send less.",
  },
  unsupported_media_type: {
    status: 415,
    message: "The request body does not have the required media type, or is not in UTF-8.",
    when: "The body isn't `application/json` in UTF-8, or under `/oauth` `application/x-www-form-urlencoded`.",
    todo: "Send the right `Content-Type`.",
  },
  rate_limited: {
    status: 429,
    message: "There were too many requests. Try again later.",
    when: "There were too many attempts; `RateLimit` and `RateLimit-Policy` describe the limit.",
    todo: "Wait for as many seconds as `Retry-After` says.",
  },
  denylist_unavailable: {
    status: 503,
    message: "The denylist can't be reached. No token is accepted until it can be. Try again soon.",
    when: "Redis didn't answer in time, or its answer couldn't be trusted.",
    todo: "Keep your tokens and try again after `Retry-After`.",
  },
  issuer_unavailable: {
    status: 503,
    message: "The keys of the token's issuer can't be had. Try again soon.",
    when: "The token names a trusted issuer whose keys can't be fetched, so that nobody can say whether it is genuine.",
    todo: "Keep your tokens and try again after `Retry-After`.",
  },
  overloaded: {
    status: 503,
    message: "Too many requests are waiting. Try again soon.",
    when: "Too many passwords are waiting to be hashed, or too many clients of this instance follow the events.",
    todo: "Try again after `Retry-After`.",
  },
  stopping: {
    status: 503,
    message: "This instance is stopping. Use another one.",
    when: "From `/readyz`, and for who wants to follow the events: this instance is shutting down.",
    todo: "Send requests to another instance.",
  },
  internal: {
    status: 500,
    message: "Something went wrong here.",
    when: "A fault in Curfew or in the app around it. The log has the cause under the request's id.",
    todo: "Report it, with the answer's `X-Request-Id`.",
  },
} satisfies Record<string, Row>;

export type ErrorCode = keyof typeof ROWS;

export const ERRORS: Readonly<Record<ErrorCode, Readonly<Row>>> = ROWS;

/** One thing that is wrong with a request. */
export type Problem = { path: string; message: string };

/** Why a token or a session is over, as far as its owner may know: never who ended it, or from where. */
export type WhyOver = { reason?: string; revoked_at?: string };

type Extra = {
  /** In place of the code's own. */
  message?: string;
  cause?: unknown;
  details?: Problem[];
  about?: Record<string, string>;
  raisesEvent?: boolean;
  entryKeys?: readonly string[];
  why?: WhyOver;
  rule?: string;
};

/** A refusal that a client may be shown. `cause` and `about` (whom or what it concerns) are only for the log. */
export class CurfewError extends Error {
  readonly code: ErrorCode;
  readonly details: Problem[] | undefined;
  readonly about: Record<string, string>;
  /** Whether it is logged as an event too, besides the line that each request gets. */
  readonly raisesEvent: boolean;
  /** The denylist entries that refuse the token. */
  readonly entryKeys: readonly string[];
  /** Why the token, or the session, is over, where that is known. The client is told. */
  readonly why: WhyOver;
  /** Which claim of a token with a good signature is wrong, for ops. The client isn't told. */
  readonly rule: string | undefined;

  constructor(code: ErrorCode, extra: Extra = {}) {
    const { message = ERRORS[code].message, cause, details, about = {}, raisesEvent = true } = extra;
    const { entryKeys = [], why = {}, rule } = extra;
    super(message, { cause });
    this.name = "CurfewError";
    this.code = code;
    this.details = details;
    this.about = about;
    this.raisesEvent = raisesEvent;
    this.entryKeys = entryKeys;
    this.why = why;
    this.rule = rule;
  }
}

/** Returns what `check` returns, or undefined if it throws a CurfewError. */
export function attempt<T>(check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (error instanceof CurfewError) return undefined;
    throw error;
  }
}

/** An error's message, without the arguments that Redis quotes from a rejected command: one may be a password. */
export const loggable = (error: Error) => error.message.replace(/,? with args beginning with:.*/s, "");
