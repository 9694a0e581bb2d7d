import type { Request } from "express";
import { isStateChanging } from "../request/cross-site";
import { rolesOf } from "../../auth/tokens";
import { subjectOf } from "../../denylist/entry";
import { callerOf } from "../request/caller";
import { endpoint } from "../router";

/**
 * Returns the method of the original request, which the gateway names in a header; without one it counts as POST. If
 * two headers differ, the client may have sent one of them, so a state-changing method wins.
 *
 * A WebSocket is opened by a GET that browsers send for any page, with cookies. So it counts as CONNECT, which it is in
 * HTTP/2 (RFC 8441). It is recognised by Sec-WebSocket-Version: no page can set that header or leave it out, and
 * gateways pass it on, unlike Upgrade.
 */
export function originalMethod(req: Request): string {
  if (req.get("Sec-WebSocket-Version") !== undefined) return "CONNECT";
  const said = [req.get("X-Forwarded-Method"), req.get("X-Original-Method")].filter(
    (method) => method !== undefined,
  );
  return said.find(isStateChanging) ?? said[0] ?? "POST";
}

/** The headers of an accepted request. */
const IDENTITY = {
  "X-Auth-Subject": "Whose token it is: a user's id, or `<issuer name>:<subject>`",
  "X-Auth-Token-Id": "Its `jti`",
  "X-Auth-Session": "Its `sid`",
  "X-Auth-Issuer": "Its `iss`",
  "X-Auth-Roles": "Comma-separated",
  "X-Auth-Expires": "Its `exp`, in Unix seconds",
};

export const verify = endpoint({
  name: "verify",
  summary: "Tell a gateway whose token a request carries",
  answers: {
    204: { description: "Accepted; the X-Auth- headers say who it is", headers: IDENTITY },
    200: { description: "The same, for a gateway that asks with `X-Verify-Status: 200`", headers: IDENTITY },
  },
  handle(req, res) {
    const caller = callerOf(req);
    const { jti, sid, iss, exp } = caller;
    res.set({
      "X-Auth-Subject": headerValue(subjectOf(caller)),
      "X-Auth-Token-Id": headerValue(jti),
      "X-Auth-Session": headerValue(sid ?? ""),
      "X-Auth-Issuer": headerValue(iss),
      "X-Auth-Roles": rolesOf(caller).map(headerValue).join(","),
      "X-Auth-Expires": String(exp),
    } satisfies Record<keyof typeof IDENTITY, string>);
    // Envoy accepts only 200 as a yes.
    res.status(req.get("X-Verify-Status") === "200" ? 200 : 204).end();
  },
});

/** Percent-encodes what isn't printable ASCII, and % and the comma, which would make the value ambiguous. */
const headerValue = (text: string) => text.replace(/[^\x21-\x7e]|[%,]/gu, encodeLetter);

const encodeLetter = (letter: string) =>
  Array.from(Buffer.from(letter), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
