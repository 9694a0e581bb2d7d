import type { Request, Response } from "express";
import { z } from "zod";
import type { IssuerLogout } from "../../auth/issuer-logout";
import { CurfewError } from "../../errors";
import { requesterOf } from "../request/caller";
import type { Tell } from "../request/request-log";
import { runStep, type Step } from "../request/step";
import { endpoint } from "../router";

// Not strict, because issuers may send more (OpenID Connect Back-Channel Logout 1.0 §2.5).
const LogoutForm = z.object({
  logout_token: z.preprocess(
    (value) => (typeof value === "string" ? value : ""),
    z.string().min(1, "must be sent, and once"),
  ),
});

export type BackchannelLogoutParts = {
  issuerLogout: IssuerLogout;
  /** Runs only for tries that aren't genuine: an issuer's own are never held up. */
  limitTries: Step;
  tell: Tell;
};

/** For trusted issuers. Nobody else's word counts: the token is its own credential. */
export function createBackchannelLogout({ issuerLogout, limitTries, tell }: BackchannelLogoutParts) {
  async function end(req: Request, res: Response, logoutToken: string) {
    try {
      return await issuerLogout.end(logoutToken, requesterOf(req));
    } catch (error) {
      if (isForged(error)) await runStep(limitTries, req, res);
      throw error;
    }
  }

  return endpoint({
    name: "backchannelLogout",
    summary: "Take an issuer's word that somebody logged out there (OpenID Connect Back-Channel Logout)",
    body: LogoutForm,
    answers: { 200: { description: "What the logout token names is refused from now on" } },
    errors: ["denylist_unavailable", "issuer_unavailable", ...limitTries.errors],
    async handle(req, res, { logout_token }) {
      tell(req, "logout_at_issuer", await end(req, res, logout_token));
      res.status(200).end();
    },
  });
}

const isForged = (error: unknown) =>
  error instanceof CurfewError && error.code === "invalid_request" && error.rule === undefined;
