import type { Request, Response } from "express";
import { z } from "zod";
import type { Auth } from "../auth";
import { CurfewError } from "../errors";
import type { Cookies } from "./cookies";
import { originOf, readAccessToken, type Credential } from "./credentials";
import type { Tell } from "./request-log";
import { endpoint, type SuccessAnswer } from "./routes";

const Logout = z.strictObject({ refresh_token: z.string().optional(), all_devices: z.boolean().optional() });
const LoggedOut = z.object({ success: z.literal(true), message: z.string() });

export type LogoutParts = {
  auth: Auth;
  cookies: Cookies;
  assertNotCrossSite: (req: Request) => void;
  tell: Tell;
};

/** The logout routes differ in how they say that it is done, and in nothing else. */
export function createLogoutEndpoints({ auth, cookies, assertNotCrossSite, tell }: LogoutParts) {
  /** Who has a good access cookie can log out, whatever was planted beside it. */
  function readRefreshCookie(req: Request, access: Credential | undefined): string | undefined {
    try {
      return cookies.readRefresh(req);
    } catch (error) {
      if (access) return undefined;
      throw error;
    }
  }

  /** Logs out with what the request carries, and leaves no cookie that is of no use any more. */
  async function logOut(req: Request, res: Response, body: z.infer<typeof Logout>): Promise<void> {
    const isByHeader = req.headers.authorization !== undefined;
    const { refresh_token: inBody, all_devices: allDevices = false } = body;
    try {
      const access = readAccessToken(req, cookies);
      const inCookie = isByHeader || inBody !== undefined ? undefined : readRefreshCookie(req, access);
      const isByCookie = access?.transport === "cookie" || inCookie !== undefined;
      if (isByCookie) assertNotCrossSite(req);
      const request = { accessToken: access?.token, refreshToken: inBody ?? inCookie, allDevices };
      const { sub, sid } = await auth.logout(request, originOf(req));
      tell(req, "logout", { sub, sid, devices: allDevices ? "all" : "this" });
      if (isByCookie) {
        cookies.clearAccess(res);
        cookies.clearRefresh(res);
      }
    } catch (error) {
      // A cookie that can't be verified would stand in the way of every later try. On a 503 both stay.
      const code = error instanceof CurfewError ? error.code : undefined;
      if (code === "token_invalid" && !isByHeader) cookies.clearAccess(res);
      if (code === "refresh_token_invalid" && !isByHeader && inBody === undefined) cookies.clearRefresh(res);
      throw error;
    }
  }

  const logout = (answers: Record<number, SuccessAnswer>, sayDone: (res: Response) => void) =>
    endpoint({
      summary: "Log out: end this session, or all of the user's",
      body: Logout.default({}),
      answers,
      errors: [
        "token_missing",
        "token_invalid",
        "token_expired",
        "token_revoked",
        "refresh_token_invalid",
        "cross_site_request",
        "denylist_unavailable",
      ],
      async handle(req, res, body) {
        await logOut(req, res, body);
        sayDone(res);
      },
    });

  return {
    logoutWithJson: logout({ 200: { description: "Logged out", schema: LoggedOut } }, (res) => {
      res.json({ success: true, message: "Logged out successfully" });
    }),
    logoutWithoutContent: logout({ 204: { description: "Logged out" } }, (res) => {
      res.status(204).end();
    }),
  };
}
