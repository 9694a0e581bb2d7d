import type { RequestHandler } from "express";
import { z } from "zod";
import type { Auth, Grant } from "../auth";
import type { Session } from "../sessions/sessions";
import type { AccessToken } from "../tokens/access-tokens";
import { readBody } from "./body";
import { originOf, readAccessToken } from "./credentials";
import { callerOf } from "./guard";

const Credentials = z.strictObject({
  email: z.string(),
  password: z.string(),
  transport: z.literal("bearer").optional(),
});
const Refresh = z.strictObject({ refresh_token: z.string() });
const Logout = z.strictObject({ refresh_token: z.string().optional(), all_devices: z.boolean().optional() });
const PasswordChange = z.strictObject({ current_password: z.string(), new_password: z.string() });

/** The handlers under /api/auth: each reads its input, makes one call and answers. */
export function createAuthHandlers(auth: Auth) {
  const register: RequestHandler = async (req, res) => {
    const { email, password } = readBody(Credentials, req.body);
    res.status(201).json(tokensOf(await auth.register(email, password, originOf(req))));
  };

  const login: RequestHandler = async (req, res) => {
    const { email, password } = readBody(Credentials, req.body);
    res.json(tokensOf(await auth.login(email, password, originOf(req))));
  };

  const refresh: RequestHandler = async (req, res) => {
    const { refresh_token } = readBody(Refresh, req.body);
    res.json(tokensOf(await auth.refresh(refresh_token, originOf(req))));
  };

  /** Ends first, answers then: what the answer looks like is all in which the two logout routes differ. */
  const logout =
    (answer: RequestHandler): RequestHandler =>
    async (req, res, next) => {
      const { refresh_token, all_devices = false } = readBody(Logout, req.body ?? {});
      const request = {
        accessToken: readAccessToken(req),
        refreshToken: refresh_token,
        allDevices: all_devices,
      };
      await auth.logout(request, originOf(req));
      return answer(req, res, next);
    };

  const changePassword: RequestHandler = async (req, res) => {
    const { current_password, new_password } = readBody(PasswordChange, req.body);
    res.json(
      tokensOf(await auth.changePassword(callerOf(req), current_password, new_password, originOf(req))),
    );
  };

  const listSessions: RequestHandler = async (req, res) => {
    const caller = callerOf(req);
    const sessions = await auth.sessions(caller);
    res.json({ sessions: sessions.map((session) => sessionOf(session, caller)) });
  };

  const endSession: RequestHandler = async (req, res) => {
    await auth.endSession(callerOf(req), String(req.params["id"]), originOf(req));
    res.status(204).end();
  };

  const endOtherSessions: RequestHandler = async (req, res) => {
    await auth.endOtherSessions(callerOf(req), originOf(req));
    res.status(204).end();
  };

  return { register, login, refresh, logout, changePassword, listSessions, endSession, endOtherSessions };
}

export const loggedOut: RequestHandler = (_req, res) => {
  res.json({ success: true, message: "Logged out successfully" });
};

export const noContent: RequestHandler = (_req, res) => {
  res.status(204).end();
};

/** For gateways: who the request's token belongs to, as headers that are safe to hand on. */
export const verify: RequestHandler = (req, res) => {
  const { sub, jti, sid, iss, roles, exp } = callerOf(req);
  res.set({
    "X-Auth-Subject": headerValue(sub),
    "X-Auth-Token-Id": headerValue(jti),
    "X-Auth-Session": headerValue(sid),
    "X-Auth-Issuer": headerValue(iss),
    "X-Auth-Roles": roles.map(headerValue).join(","),
    "X-Auth-Expires": String(exp),
  });
  res.status(204).end();
};

/** Percent-encoded outside printable ASCII; and the two characters that would make the value ambiguous. */
const headerValue = (text: string) => text.replace(/[^\x21-\x7e]|[%,]/gu, (letter) => encodeLetter(letter));

const encodeLetter = (letter: string) =>
  [...Buffer.from(letter)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");

function tokensOf(grant: Grant) {
  const { id, email, roles } = grant.account;
  return {
    access_token: grant.accessToken,
    token_type: "Bearer",
    expires_in: grant.expiresInSeconds,
    refresh_token: grant.refreshToken,
    refresh_expires_in: grant.refreshExpiresInSeconds,
    user: { id, email, roles },
  };
}

function sessionOf({ id, createdAt, lastUsedAt, expiresAt, ip, userAgent }: Session, caller: AccessToken) {
  return {
    id,
    current: id === caller.sid,
    created_at: createdAt,
    last_used_at: lastUsedAt,
    expires_at: expiresAt,
    ip,
    user_agent: userAgent,
  };
}
