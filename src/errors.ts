type Row = {
  /** What HTTP answers. */
  status: number;
  /** What a client is told. One constant sentence a code: an answer can't tell more than its code does. */
  message: string;
  /** When it happens, and what a caller should then do: for the documentation. */
  when: string;
  todo: string;
  /** Whether it refuses the access token that was sent, rather than say that none was. */
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
    when: "The access token is not genuine, or not for this service.",
    todo: "Log in.",
    blamesToken: true,
  },
  token_expired: {
    status: 401,
    message: "The access token has expired.",
    when: "The access token was genuine and its lifetime is over.",
    todo: "Refresh.",
    blamesToken: true,
  },
  token_revoked: {
    status: 401,
    message: "The access token has been revoked.",
    when: "The access token, its session or all of its user's sessions were ended, or Redis was emptied since.",
    todo: "Log in.",
    blamesToken: true,
  },
  invalid_credentials: {
    status: 401,
    message: "The credentials are wrong.",
    when: "The e-mail address or the password is wrong, or under `/oauth` the client's id or secret; which of them is not said.",
    todo: "Ask for them again.",
  },
  refresh_token_invalid: {
    status: 401,
    message: "The refresh token is not valid, or its session is over.",
    when: "The refresh token is forged, past its lifetime or somebody else's, or its session has ended.",
    todo: "Log in.",
  },
  refresh_token_reused: {
    status: 401,
    message: "The refresh token was used before. Its session has been ended.",
    when: "The refresh token was exchanged before; its session has been ended.",
    todo: "Log in. If you didn't send it twice yourself, somebody has a copy.",
  },
  insufficient_role: {
    status: 403,
    message: "The token lacks a role that this requires.",
    when: "The token lacks a role that the route requires: `ops` under `/api/ops`, or one that an app which mounts Curfew asks for.",
    todo: "Ask whoever gives roles.",
  },
  own_session_required: {
    status: 403,
    message: "This requires a session of ours, and the token is from another issuer.",
    when: "A foreign token was sent where only sessions of ours make sense: sessions, password.",
    todo: "Use what the issuer offers for this.",
  },
  cross_site_request: {
    status: 403,
    message: "This request comes from a page of another site.",
    when: "A request that would act by cookie comes from another site's page.",
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
    message: "This route does not answer to that method.",
    when: "The route exists and doesn't answer to this method.",
    todo: "Use one of the methods in `Allow`.",
  },
  email_taken: {
    status: 409,
    message: "An account with this e-mail address exists already.",
    when: "Somebody has registered this address.",
    todo: "Log in.",
  },
  body_too_large: {
    status: 413,
    message: "The request body is too large.",
    when: "The body has more than 16 KiB. This is answered at once, before the rest has come, and the connection is closed.",
    todo: "Send less.",
  },
  unsupported_media_type: {
    status: 415,
    message: "The request body is not of the media type that this requires, or not in UTF-8.",
    when: "The body isn't `application/json` in UTF-8, or under `/oauth` `application/x-www-form-urlencoded`.",
    todo: "Send the right `Content-Type`.",
  },
  rate_limited: {
    status: 429,
    message: "There were too many requests. Try again later.",
    when: "There were too many tries; `RateLimit` and `RateLimit-Policy` describe the limit.",
    todo: "Wait for as many seconds as `Retry-After` says.",
  },
  denylist_unavailable: {
    status: 503,
    message: "The denylist can't be reached. Nothing is accepted until it can; try again soon.",
    when: "Redis didn't answer in time, or not safely.",
    todo: "Keep your tokens and try again after `Retry-After`.",
  },
  overloaded: {
    status: 503,
    message: "Too many requests are waiting. Try again soon.",
    when: "Too many passwords are waiting to be hashed.",
    todo: "Try again after `Retry-After`.",
  },
  stopping: {
    status: 503,
    message: "This instance is stopping. Another one answers.",
    when: "Only from `/readyz`: this instance is shutting down.",
    todo: "Send requests to another instance.",
  },
  internal: {
    status: 500,
    message: "Something went wrong here.",
    when: "A fault of ours; the log has the cause under the request's id.",
    todo: "Report it, with its `X-Request-Id`.",
  },
} satisfies Record<string, Row>;

export type ErrorCode = keyof typeof ROWS;

export const ERRORS: Readonly<Record<ErrorCode, Readonly<Row>>> = ROWS;

/** One thing that is wrong with a request: where, and what. */
export type Problem = { path: string; message: string };

type Extra = {
  cause?: unknown;
  details?: Problem[];
  about?: Record<string, string>;
  raisesEvent?: boolean;
  entryKeys?: readonly string[];
  rule?: string;
};

/** A refusal that a client may be shown. `cause`, and `about` whom or what it is, are for the log and stay in the process. */
export class CurfewError extends Error {
  readonly code: ErrorCode;
  readonly details: Problem[] | undefined;
  readonly about: Record<string, string>;
  /** Whether it is an event for those who watch the service, beside the line of its request. */
  readonly raisesEvent: boolean;
  /** The denylist entries that refuse the token. */
  readonly entryKeys: readonly string[];
  /** Which claim of a token with a good signature is wrong, for ops. The client isn't told. */
  readonly rule: string | undefined;

  constructor(code: ErrorCode, extra: Extra = {}) {
    const { cause, details, about = {}, raisesEvent = true, entryKeys = [], rule } = extra;
    super(ERRORS[code].message, { cause });
    this.name = "CurfewError";
    this.code = code;
    this.details = details;
    this.about = about;
    this.raisesEvent = raisesEvent;
    this.entryKeys = entryKeys;
    this.rule = rule;
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
