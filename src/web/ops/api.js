// Asks the API, by cookie: a reload stays signed in, and no script can read a token.

const TIMEOUT_MS = 30_000;

/** Why there is no answer to show. `status` is 0 if nobody answered. */
class Refusal extends Error {
  constructor(status, message, code) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const listeners = [];

/** Is told of a refusal that no other question would escape: nobody is signed in, or without the role. */
export const onShutOut = (listener) => void listeners.push(listener);

export async function ask(method, path, body) {
  const response = await request(method, path, { body, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const answer = await response.json().catch(() => undefined);
  if (answer === undefined) throw new Refusal(response.status, "The answer wasn’t Curfew’s.");
  return answer;
}

/** A response whose body is still to be read. */
export async function request(method, path, options = {}) {
  const response = await sendRenewed(method, path, options);
  if (response.ok) return response;
  const refusal = await toRefusal(response);
  if (refusal.status === 401 || refusal.code === "insufficient_role") {
    for (const listener of listeners) listener(refusal);
  }
  throw refusal;
}

/** Who is signed in; undefined if nobody is. */
export async function whoAmI() {
  const response = await sendRenewed("GET", "/api/users/me");
  if (response.status === 401) return undefined;
  if (!response.ok) throw await toRefusal(response);
  return response.json();
}

export async function signIn(email, password) {
  const body = { email, password, transport: "cookie" };
  const response = await send("POST", "/api/auth/login", { body });
  if (!response.ok) throw await toRefusal(response);
  return (await response.json()).user;
}

export async function signOut() {
  const response = await send("POST", "/api/auth/logout");
  if (!response.ok && response.status !== 401) throw await toRefusal(response);
}

/** An access token that is over is exchanged once. Where none was sent, there is no cookie to exchange either. */
async function sendRenewed(method, path, options) {
  const before = renewals;
  const response = await send(method, path, options);
  if (response.status !== 401) return response;
  const { code } = await response
    .clone()
    .json()
    .catch(() => ({}));
  if (code === "token_missing") return response;
  // It may have been sent with the old token while another question had it exchanged.
  const isRenewed = renewals > before || (await renew());
  return isRenewed ? send(method, path, options) : response;
}

let renewing;
let renewals = 0;

/** One at a time, in all tabs together: a refresh token that is used twice ends its session. */
function renew() {
  renewing ??= alone(exchange).finally(() => {
    renewing = undefined;
  });
  return renewing;
}

async function exchange() {
  const { ok } = await send("POST", "/api/auth/refresh");
  if (ok) renewals += 1;
  return ok;
}

/** Browsers have locks only where the connection is secure. Without them, the service’s grace for retries has to do. */
const alone = (run) => (navigator.locks ? navigator.locks.request("curfew-refresh", run) : run());

async function send(method, path, { body, headers, signal } = {}) {
  const options = { method, headers: { ...headers }, signal, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, `No answer from ${location.host}. Is it running?`);
  }
}

async function toRefusal(response) {
  const { code, message = "The answer wasn’t Curfew’s.", details } = await response.json().catch(() => ({}));
  const retryAfter = response.status === 429 && response.headers.get("Retry-After");
  const more = [
    ...(details ?? []).map((each) => `${each.path} ${each.message}.`),
    ...(retryAfter ? [`It may work in ${retryAfter} s.`] : []),
  ];
  return new Refusal(response.status, [message, ...more].join(" "), code);
}
