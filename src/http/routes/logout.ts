import type { Request, Response } from "express";
import { z } from "zod";
import type { Auth } from "../../auth/auth";
import { attempt, CurfewError, type ErrorCode } from "../../errors";
import type { Cookies } from "../request/cookies";
import { requesterOf } from "../request/caller";
import { tokenMissing, type ReadCredentials } from "../request/credentials";
import type { Tell } from "../request/request-log";
import { endpoint, type SuccessAnswer } from "../router";
import { runStep, type Step } from "../request/step";

const Logout = z
  .strictObject({ refresh_token: z.string().nullish(), all_devices: z.boolean().nullish() })
  .meta({ id: "Logout" });
const LoggedOut = z.object({ success: z.literal(true), message: z.string() }).meta({ id: "LoggedOut" });

export type LogoutParts = {
  auth: Auth;
  cookies: Cookies;
  credentialsOf: ReadCredentials;
  /** Runs only for attempts that ended nothing: a limit must never prevent a logout that would end something. */
  limitTries: Step;
  tell: Tell;
};

/** The logout routes differ only in how they answer success. */
export function createLogoutEndpoints({ auth, cookies, credentialsOf, limitTries, tell }: LogoutParts) {
  /** Logs out with the request's credentials, and clears the cookies that are of no more use. */
  async function endWhatIsNamed(req: Request, res: Response, body: z.infer<typeof Logout>): Promise<void> {
    const allDevices = body.all_devices ?? false;
    try {
      const credentials = credentialsOf(req);
      const access = credentials.access();
      const isByCookie = access?.transport === "cookie";
      // Beside an access cookie, a refresh cookie that can't be read (there are two) counts as none.
      const refresh = isByCookie ? attempt(credentials.refresh) : credentials.refresh();
      if (!access && !refresh) throw tokenMissing(req);
      const whose = await auth.logout({ access, refresh, allDevices }, requesterOf(req));
      tell(req, "logout", { ...whose, devices: allDevices ? "all" : "this" });
      if (isByCookie || refresh?.transport === "cookie") {
        cookies.clearAccess(res);
        cookies.clearRefresh(res);
      }
    } catch (error) {
      const limited = endedNothing(error) ? await countTry(req, res) : undefined;
      if (req.headers.authorization === undefined) clearUseless(res, error, body);
      throw limited ?? error;
    }
  }

  /**
   * Returns `rate_limited` if there were too many attempts. Throws if Redis can't count them: then both cookies stay.
   */
  async function countTry(req: Request, res: Response): Promise<CurfewError | undefined> {
    try {
      await runStep(limitTries, req, res);
      return undefined;
    } catch (error) {
      if (error instanceof CurfewError && error.code === "rate_limited") return error;
      throw error;
    }
  }

  /** Clears a cookie that is dead or can't be verified: it would make every later attempt fail too. */
  function clearUseless(
    res: Response,
    error: unknown,
    { refresh_token: inBody }: z.infer<typeof Logout>,
  ): void {
    const code = error instanceof CurfewError ? error.code : undefined;
    if (code === "token_invalid" || code === "token_expired" || code === "token_revoked") {
      cookies.clearAccess(res);
    }
    if (code === "refresh_token_invalid" && typeof inBody !== "string") cookies.clearRefresh(res);
  }

  const logout = (answers: Record<number, SuccessAnswer>, sayDone: (res: Response) => void) =>
    endpoint({
      name: "logout",
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
        "issuer_unavailable",
        ...limitTries.errors,
      ],
      security: "any token",
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

const NAMES_NOTHING = new Set<ErrorCode>(["token_missing", "token_invalid", "refresh_token_invalid"]);

/** If the error names a user, the credentials were genuine, and their session was ended although the answer is 401. */
const endedNothing = (error: unknown) =>
  error instanceof CurfewError && NAMES_NOTHING.has(error.code) && error.about["sub"] === undefined;
