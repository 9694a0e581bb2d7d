import type { Request, Response } from "express";
import { z } from "zod";
import type { Auth } from "../auth";
import { attempt, CurfewError } from "../errors";
import type { Cookies } from "./cookies";
import { requesterOf, readAccessToken, readRefreshToken } from "./credentials";
import type { Tell } from "./request-log";
import { endpoint, type SuccessAnswer } from "./routes";

const Logout = z.strictObject({ refresh_token: z.string().optional(), all_devices: z.boolean().optional() });
const LoggedOut = z.object({ success: z.literal(true), message: z.string() });

export type LogoutParts = {
  auth: Auth;
  cookies: Cookies;
  tell: Tell;
};

/** The logout routes differ in how they say that it is done, and in nothing else. */
export function createLogoutEndpoints({ auth, cookies, tell }: LogoutParts) {
  /** Logs out with what the request carries, and leaves no cookie that is of no use any more. */
  async function endWhatIsNamed(req: Request, res: Response, body: z.infer<typeof Logout>): Promise<void> {
    const usesCookies = req.headers.authorization === undefined;
    const { all_devices: allDevices = false, refresh_token: inBody } = body;
    try {
      const access = readAccessToken(req, cookies);
      const isByCookie = access?.transport === "cookie";
      // Beside a good access cookie, two refresh cookies are as good as none.
      const refresh = isByCookie
        ? attempt(() => readRefreshToken(req, cookies))
        : readRefreshToken(req, cookies);
      const whose = await auth.logout({ access, refresh, allDevices }, requesterOf(req));
      tell(req, "logout", { ...whose, devices: allDevices ? "all" : "this" });
      if (isByCookie || refresh?.transport === "cookie") {
        cookies.clearAccess(res);
        cookies.clearRefresh(res);
      }
    } catch (error) {
      // A cookie that is dead or can't be verified would stand in the way of every later try. On a 503 both stay.
      const code = error instanceof CurfewError && usesCookies ? error.code : undefined;
      if (code === "token_invalid" || code === "token_expired" || code === "token_revoked") {
        cookies.clearAccess(res);
      }
      if (code === "refresh_token_invalid" && inBody === undefined) cookies.clearRefresh(res);
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
        "denylist_unavailable",
      ],
      async handle(req, res, body) {
        await endWhatIsNamed(req, res, body);
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
