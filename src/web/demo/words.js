// What the client's reasons and codes mean, to whoever is in front of the page.

const REASONS = {
  logout: "You logged out in another tab.",
  logout_all_devices: "You logged out everywhere, from another tab or device.",
  session_ended: "You ended this session from another device.",
  password_changed: "Your password was changed on another device.",
  refresh_reused: "An old token of this session was used again, as a thief would. The session was ended.",
  revoked_by_ops: "The staff of this service ended your session.",
  revoked_by_client: "A service that you use ended your session.",
  logout_at_issuer: "You logged out where you had signed in.",
  expired: "Your session expired.",
};

export function whySignedOut({ reason, here }) {
  if (here) return reason === "logout_all_devices" ? "You are logged out everywhere." : "You are logged out.";
  return REASONS[reason] ?? "Your session is over.";
}

const CODES = {
  invalid_credentials: "The e-mail address or the password is wrong.",
  email_taken: "There is an account with this e-mail address. Sign in instead.",
  rate_limited: "Too many tries. Wait a minute, then try again.",
  denylist_unavailable: "The service can’t reach its store. Try again in a moment.",
  offline: "No answer came. Are you online, and is the service running?",
};

export function whatWentWrong({ code, message, details = [] }) {
  if (details.length > 0)
    return details.map(({ path, message: wrong }) => `Your ${path} ${wrong}.`).join(" ");
  return CODES[code] ?? message;
}
