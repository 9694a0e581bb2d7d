import type { Request } from "express";
import { CurfewError } from "../../errors";
import type { RefreshToken, RefreshTokens } from "../../tokens/refresh-tokens";
import { authorizationsOf } from "./authorization";
import type { Cookies } from "./cookies";

/** How tokens travel: in headers and bodies, or in cookies. */
export type Transport = "bearer" | "cookie";

export type Credential = { token: string; transport: Transport };

/** The credentials of a request. Each is read once; every later call returns the same or throws the same error. */
type Credentials = {
  access: () => Credential | undefined;
  /** The access cookie, also beside an Authorization header. */
  accessCookie: () => string | undefined;
  /** The refresh token in the parsed body, else the cookie. Beside an Authorization header the cookie is ignored. */
  refresh: () => Credential | undefined;
  /**
   * The refresh token, verified. Throws `token_missing` if there is none, `refresh_token_invalid` if it isn't valid.
   */
  refreshToken: () => RefreshToken;
};

export type ReadCredentials = (req: Request) => Credentials;

/**
 * The access token, not yet verified. An Authorization header wins: beside it the cookie is ignored, whatever the header
 * holds. A token in the URL or the body is never read (RFC 6750 §5.3).
 */
export const readAccess = (req: Request, cookies: Cookies): Credential | undefined =>
  readAccessBeside(req, () => cookies.readAccess(req));

/** Reads the credentials of requests. */
export function createCredentials(cookies: Cookies, refreshTokens: RefreshTokens): ReadCredentials {
  const read = new WeakMap<Request, Credentials>();

  function readFrom(req: Request): Credentials {
    const accessCookie = once(() => cookies.readAccess(req));
    const refresh = once(() => readRefresh(req, cookies));
    return {
      access: once(() => readAccessBeside(req, accessCookie)),
      accessCookie,
      refresh,
      refreshToken: once(() => {
        const credential = refresh();
        if (!credential) throw new CurfewError("token_missing");
        return refreshTokens.verify(credential.token);
      }),
    };
  }

  return function credentialsOf(req) {
    const credentials = read.get(req) ?? readFrom(req);
    read.set(req, credentials);
    return credentials;
  };
}

/** A header that begins with Bearer is meant for Curfew, so a malformed one is refused. Other schemes are ignored. */
const MEANS_BEARER = /^bearer(?![a-z0-9-])/i;
const BEARER = /^bearer(?: +(.*))?$/i;
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

function readAccessBeside(req: Request, readCookie: () => string | undefined): Credential | undefined {
  const [header, repeated] = authorizationsOf(req);
  if (repeated !== undefined) {
    throw new CurfewError("invalid_request", {
      details: [{ path: "Authorization", message: "must not be sent twice" }],
    });
  }
  if (header === undefined) return credentialOf(readCookie(), "cookie");
  if (!MEANS_BEARER.test(header)) return undefined;
  const bearer = BEARER.exec(header);
  if (!bearer) throw new CurfewError("token_invalid");
  return credentialOf(bearer[1], "bearer");
}

function readRefresh(req: Request, cookies: Cookies): Credential | undefined {
  const { refresh_token: inBody } = (req.body ?? {}) as { refresh_token?: unknown };
  if (typeof inBody === "string") return { token: inBody, transport: "bearer" };
  if (req.headers.authorization !== undefined) return undefined;
  const token = cookies.readRefresh(req);
  return token === undefined ? undefined : { token, transport: "cookie" };
}

function credentialOf(token: string | undefined, transport: Transport): Credential | undefined {
  if (token === undefined || token === "") return undefined;
  if (!B64TOKEN.test(token)) throw new CurfewError("token_invalid");
  return { token, transport };
}

function once<T>(read: () => T): () => T {
  let outcome: (() => T) | undefined;
  return () => (outcome ??= outcomeOf(read))();
}

function outcomeOf<T>(read: () => T): () => T {
  try {
    const value = read();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
