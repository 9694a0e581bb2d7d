import type { Response } from "express";
import { z } from "zod";
import type { Grant } from "../../auth/grant";
import type { Cookies } from "../request/cookies";
import type { Transport } from "../request/credentials";

export const User = z
  .object({ id: z.string(), email: z.string().nullable(), roles: z.array(z.string()) })
  .meta({ id: "User" });

/** With cookie transport, the two tokens are only in cookies, not in the body. */
export const Tokens = z
  .object({
    access_token: z.string().optional(),
    token_type: z.literal("Bearer"),
    expires_in: z.number(),
    refresh_token: z.string().optional(),
    refresh_expires_in: z.number(),
    user: User,
  })
  .meta({ id: "Tokens" });

/** Sets the cookies, with cookie transport, and returns what else the client gets. */
export function handOver(
  res: Response,
  grant: Grant,
  transport: Transport,
  cookies: Cookies,
): z.infer<typeof Tokens> {
  const { accessToken, refreshToken, expiresInSeconds, refreshExpiresInSeconds } = grant;
  const { id, email, roles } = grant.account;
  const isCookie = transport === "cookie";
  if (isCookie) cookies.set(res, { accessToken, refreshToken, maxAgeSeconds: refreshExpiresInSeconds });
  return {
    ...(!isCookie && { access_token: accessToken }),
    token_type: "Bearer",
    expires_in: expiresInSeconds,
    ...(!isCookie && { refresh_token: refreshToken }),
    refresh_expires_in: refreshExpiresInSeconds,
    user: { id, email, roles },
  };
}

export function answerTokens(res: Response, grant: Grant, transport: Transport, cookies: Cookies): void {
  res.json(handOver(res, grant, transport, cookies));
}
