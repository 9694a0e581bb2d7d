import { createClient, type Client, type ClientOptions } from "../../src/browser/client";

/** The client at its edges, with a service that answers as it is told to. Its tabs are clients on one page. */

type Sent = Pick<Request, "credentials" | "redirect" | "keepalive"> & {
  path: string;
  token: string | null;
  body: string;
};

const globals = globalThis as Record<string, unknown>;
const listeners = new Set<{ name: string; onmessage: ((event: { data: unknown }) => void) | null }>();

/** As the browser's, in one process. */
class Channel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor(readonly name: string) {
    listeners.add(this);
  }
  postMessage(data: unknown): void {
    for (const each of listeners)
      if (each !== this && each.name === this.name)
        queueMicrotask(() => each.onmessage?.({ data: structuredClone(data) }));
  }
}

const original = { fetch: globals["fetch"], BroadcastChannel: globals["BroadcastChannel"] };
let sent: Sent[];
let answers: Record<string, (() => Response | Promise<Response>)[]>;
let nowMs: number;

beforeEach(() => {
  [sent, answers, nowMs] = [[], {}, 0];
  listeners.clear();
  globals["location"] = { href: "https://app.example/here", origin: "https://app.example" };
  Object.defineProperty(globals, "navigator", { value: {}, configurable: true, writable: true });
  globals["BroadcastChannel"] = Channel;
  globals["fetch"] = async (input: Request | string, init?: RequestInit) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    const { credentials, redirect, keepalive } = request;
    const token = request.headers.get("Authorization");
    sent.push({ path, token, body: await request.text(), credentials, redirect, keepalive });
    const answer = answers[path]?.shift();
    if (!answer) throw new TypeError(`nobody answers ${path}`);
    return answer();
  };
  jest.spyOn(performance, "now").mockImplementation(() => nowMs);
});
afterEach(() => {
  jest.restoreAllMocks();
  Object.assign(globals, original);
  delete globals["location"];
});

// A page's addresses are its own; Node knows no page.
const at = (path: string) => `https://app.example${path}`;
const AUTH = "/api/auth";
const USER = { id: "1", email: "ada@example.com", roles: [] };

const tokens = (access: string) => () =>
  Response.json({ access_token: access, refresh_token: `r-${access}`, expires_in: 900, user: USER });
const refusal =
  (status: number, code: string, more = {}) =>
  () =>
    Response.json({ code, message: code, ...more }, { status });
const ok = () => new Response("fine");
const loggedOut = () => Response.json({ success: true, message: "Logged out" });
const cookiesSet = () => Response.json({ expires_in: 900, user: USER });

const will = (path: string, ...next: (() => Response | Promise<Response>)[]) =>
  void (answers[path] = [...(answers[path] ?? []), ...next]);

function createStore() {
  const map = new Map<string, string>();
  return {
    map,
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  };
}

function open(options: ClientOptions = {}): { client: Client; told: object[] } {
  const client = createClient({ url: at(AUTH), ...options });
  const told: object[] = [];
  client.onSignedOut((event) => told.push(event));
  return { client, told };
}

async function signedIn(options: ClientOptions = {}) {
  const opened = open(options);
  will(`${AUTH}/login`, options.transport === "cookie" ? cookiesSet : tokens("a1"));
  await opened.client.login("ada@example.com", "secret");
  sent = [];
  return opened;
}

const pathsOf = () => sent.map(({ path }) => path.replace(AUTH, ""));
const tokensOf = () => sent.filter(({ path }) => path === "/data").map(({ token }) => token);
const EXPIRED = refusal(401, "token_expired");

it("refreshes shortly before a token dies, by a clock that nobody sets", async () => {
  const { client } = await signedIn();
  jest.spyOn(Date, "now").mockReturnValue(0);
  nowMs = 869_000;
  will("/data", ok, ok);
  await client.fetch(at("/data"));
  expect(pathsOf()).toEqual(["/data"]);
  nowMs = 871_000;
  will(`${AUTH}/refresh`, tokens("a2"));
  await client.fetch(at("/data"));
  expect(pathsOf()).toEqual(["/data", "/refresh", "/data"]);
  expect(tokensOf()).toEqual(["Bearer a1", "Bearer a2"]);
});

it("refreshes once for all that were refused at the same time", async () => {
  const { client } = await signedIn();
  will("/data", EXPIRED, EXPIRED, EXPIRED, ok, ok, ok);
  will(`${AUTH}/refresh`, tokens("a2"));
  const all = await Promise.all([1, 2, 3].map(() => client.fetch(at("/data"))));
  expect(all.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(pathsOf().filter((path) => path === "/refresh")).toHaveLength(1);
});

it("never loops: a service that always says expired is asked twice", async () => {
  const { client, told } = await signedIn();
  will("/data", EXPIRED, EXPIRED);
  will(`${AUTH}/refresh`, tokens("a2"));
  expect((await client.fetch(at("/data"))).status).toBe(401);
  expect(pathsOf()).toEqual(["/data", "/refresh", "/data"]);
  expect(told).toEqual([]);
});

it.each([
  ["a stream", () => [at("/data"), { body: new Blob(["once"]).stream(), duplex: "half" }] as const],
  ["a request", () => [new Request(at("/data"), { method: "POST", body: "once" }), {}] as const],
  ["text", () => [at("/data"), { body: "once" }] as const],
])("sends a body again that can be read but once: %s", async (_title, make) => {
  const { client } = await signedIn();
  will("/data", EXPIRED, ok);
  will(`${AUTH}/refresh`, tokens("a2"));
  const [input, init] = make();
  const response = await client.fetch(input, { method: "POST", ...init });
  expect(response.status).toBe(200);
  expect(sent.filter(({ path }) => path === "/data").map(({ body }) => body)).toEqual(["once", "once"]);
});

it.each([
  ["429", refusal(429, "rate_limited"), 429],
  ["503", refusal(503, "denylist_unavailable"), 503],
  ["502 of somebody else's", () => new Response("<h1>Bad Gateway</h1>", { status: 502 }), 502],
  ["401 of somebody else's", () => new Response("Proxy login", { status: 401 }), 401],
])(
  "signs nobody out when a refresh is answered %s, and gives that answer",
  async (_title, answer, status) => {
    const { client, told } = await signedIn();
    will("/data", EXPIRED, ok);
    will(`${AUTH}/refresh`, answer, tokens("a2"));
    expect((await client.fetch(at("/data"))).status).toBe(status);
    expect([told, client.user]).toEqual([[], USER]);
    expect((await client.fetch(at("/data"))).status).toBe(200);
  },
);

it("signs nobody out offline, and rejects as fetch does", async () => {
  const { client, told } = await signedIn();
  will("/data", EXPIRED);
  await expect(client.fetch(at("/data"))).rejects.toThrow(TypeError);
  expect([told, client.user]).toEqual([[], USER]);
});

it.each([
  ["token_revoked", { reason: "session_ended" }, "session_ended"],
  ["token_revoked", {}, "expired"],
])("a 401 %s with %o is told once, as %s", async (code, more, reason) => {
  const { client, told } = await signedIn();
  will("/data", refusal(401, code, more), refusal(401, code, more));
  const both = await Promise.all([client.fetch(at("/data")), client.fetch(at("/data"))]);
  expect(both.map(({ status }) => status)).toEqual([401, 401]);
  expect(told).toEqual([{ reason, here: false }]);
  expect(client.user).toBeUndefined();
});

it.each([
  ["refresh_token_invalid", {}, "expired"],
  ["refresh_token_invalid", { reason: "password_changed" }, "password_changed"],
  ["refresh_token_reused", {}, "refresh_reused"],
])("a refresh that is refused with %s and %o is told as %s", async (code, more, reason) => {
  const { client, told } = await signedIn();
  will("/data", EXPIRED);
  will(`${AUTH}/refresh`, refusal(401, code, more));
  expect((await client.fetch(at("/data"))).status).toBe(401);
  expect(told).toEqual([{ reason, here: false }]);
});

it("a 401 of an app's own signs nobody out", async () => {
  const { client, told } = await signedIn();
  will("/data", () => new Response("no", { status: 401 }), refusal(401, "invalid_credentials"));
  await client.fetch(at("/data"));
  await client.fetch(at("/data"));
  expect([told, pathsOf()]).toEqual([[], ["/data", "/data"]]);
});

it("a refresh that comes back after a logout brings no token back", async () => {
  const storage = createStore();
  const { client, told } = await signedIn({ storage });
  const other = open({ storage });
  let answer: (response: Response) => void = () => undefined;
  will("/data", EXPIRED);
  will(`${AUTH}/refresh`, () => new Promise((resolve) => (answer = resolve)));
  const asked = other.client.fetch(at("/data"));
  while (!pathsOf().includes("/refresh")) await Promise.resolve().then(() => new Promise(setImmediate));
  will(`${AUTH}/logout`, loggedOut);
  // Without locks, each tab waits for itself only.
  await client.logout();
  answer(tokens("a2")());
  expect((await asked).status).toBe(401);
  expect(storage.map.size).toBe(0);
  expect([told, other.told]).toEqual([
    [{ reason: "logout", here: true }],
    [{ reason: "logout", here: false }],
  ]);
  expect([client.user, other.client.user]).toEqual([undefined, undefined]);
});

it("a page that is left in the middle of a refresh is followed by one that repeats it", async () => {
  const storage = createStore();
  const { client } = await signedIn({ storage });
  will("/data", EXPIRED);
  will(`${AUTH}/refresh`, () => new Promise(() => undefined), tokens("a2"));
  void client.fetch(at("/data"));
  while (!pathsOf().includes("/refresh")) await new Promise(setImmediate);
  open({ storage });
  while (!JSON.stringify([...storage.map]).includes("a2")) await new Promise(setImmediate);
  expect(pathsOf()).toEqual(["/data", "/refresh", "/refresh"]);
});

it("a copied tab, with a storage of its own, gets the tokens of a refresh", async () => {
  const [storage, copy] = [createStore(), createStore()];
  const { client } = await signedIn({ storage });
  for (const [key, value] of storage.map) copy.setItem(key, value);
  const other = open({ storage: copy });
  will("/data", EXPIRED, ok, ok);
  will(`${AUTH}/refresh`, tokens("a2"));
  await client.fetch(at("/data"));
  await new Promise(setImmediate);
  await other.client.fetch(at("/data"));
  expect(tokensOf()).toEqual(["Bearer a1", "Bearer a2", "Bearer a2"]);
});

it.each([
  ["offline", "offline", true, () => Promise.reject(new TypeError("Failed to fetch"))],
  ["503", "denylist_unavailable", true, refusal(503, "denylist_unavailable")],
  ["429", "rate_limited", true, refusal(429, "rate_limited")],
  ["403", "cross_site_request", false, refusal(403, "cross_site_request")],
  ["401 of somebody else's", "unexpected", false, () => new Response("Proxy login", { status: 401 })],
  ["200 of somebody else's", "unexpected", false, () => new Response("<h1>Welcome</h1>")],
])("a logout rejects when it isn't one: %s", async (_title, code, retry, answer) => {
  const storage = createStore();
  const { client, told } = await signedIn({ storage });
  will(`${AUTH}/logout`, answer, loggedOut);
  await expect(client.logout()).rejects.toMatchObject({ code, retry });
  expect([told, client.user, storage.map.size]).toEqual([[], USER, 1]);
  await client.logout();
  expect([told, client.user, storage.map.size]).toEqual([[{ reason: "logout", here: true }], undefined, 0]);
  expect(sent.at(-1)).toMatchObject({ token: "Bearer a1", body: '{"refresh_token":"r-a1"}' });
});

it.each([
  ["bearer", { token: "Bearer a1", credentials: "same-origin" }],
  ["cookie", { token: null, credentials: "include" }],
] as const)(
  "a logout goes to the service itself, and goes on when the page is left: by %s",
  async (transport, how) => {
    const { client } = await signedIn({ transport, url: `${at(AUTH)}/` });
    will(`${AUTH}/logout`, () => new Response(null, { status: 204 }));
    await client.logout();
    expect(sent).toMatchObject([{ path: `${AUTH}/logout`, ...how, redirect: "error", keepalive: true }]);
  },
);

it("a logout asks the service if there may be a session in a cookie, and not if there is none", async () => {
  const [bearer, cookie] = [open(), open({ transport: "cookie" })];
  await bearer.client.logout();
  expect(sent).toEqual([]);
  will(`${AUTH}/refresh`, refusal(401, "token_missing"));
  will("/data", ok);
  await cookie.client.fetch(at("/data"));
  will(`${AUTH}/logout`, loggedOut);
  await cookie.client.logout();
  expect(pathsOf()).toEqual(["/refresh", "/data", "/logout"]);
});

it("a logout of all devices ends all of the user's sessions here, and nobody else's", async () => {
  const bob = { ...USER, id: "2" };
  const { client, told } = await signedIn();
  const [other, another] = [await signedIn(), open()];
  will(`${AUTH}/login`, () =>
    Response.json({ access_token: "b1", refresh_token: "r-b1", expires_in: 900, user: bob }),
  );
  await another.client.login("bob@example.com", "secret");
  will(`${AUTH}/logout`, loggedOut);
  await client.logout({ allDevices: true });
  await new Promise(setImmediate);
  expect(JSON.parse(sent.at(-1)?.body ?? "")).toEqual({ refresh_token: "r-a1", all_devices: true });
  expect([told, other.told, another.told]).toEqual([
    [{ reason: "logout_all_devices", here: true }],
    [{ reason: "logout_all_devices", here: false }],
    [],
  ]);
});

it("a logout of this device ends no other session of the user's", async () => {
  const [{ client }, other] = [await signedIn(), await signedIn()];
  will(`${AUTH}/logout`, loggedOut);
  await client.logout();
  await new Promise(setImmediate);
  expect([other.told, other.client.user]).toEqual([[], USER]);
});

it("a logout of all devices that is refused says so, and ends this session's page all the same", async () => {
  const { client, told } = await signedIn();
  will(`${AUTH}/logout`, refusal(401, "token_revoked", { reason: "session_ended" }));
  await expect(client.logout({ allDevices: true })).rejects.toMatchObject({
    code: "token_revoked",
    retry: false,
  });
  expect(told).toEqual([{ reason: "session_ended", here: true }]);
});

it("a login that is refused says why", async () => {
  const { client } = open();
  const details = [{ path: "password", message: "is too short" }];
  will(`${AUTH}/register`, refusal(400, "invalid_request", { details }));
  const refused = { code: "invalid_request", retry: false, details };
  await expect(client.register("ada@example.com", "x")).rejects.toMatchObject(refused);
  expect(client.user).toBeUndefined();
});

it("sends the token to its own origin and to those that are named, and to no other", async () => {
  const { client } = await signedIn({ origins: ["https://api.example/"] });
  will("/data", ok, ok, ok, ok);
  for (const origin of [
    "https://app.example",
    "https://api.example",
    "http://api.example",
    "https://api.example.evil",
  ])
    await client.fetch(`${origin}/data`);
  expect(tokensOf()).toEqual(["Bearer a1", "Bearer a1", null, null]);
});

it("what is stored and can't be read is no session", () => {
  const storage = createStore();
  storage.setItem(`curfew:${at(AUTH)}`, "{");
  expect(open({ storage }).client.user).toBeUndefined();
});

it("by cookie, whoever logs in in another tab is the user here, too, and no token is sent", async () => {
  const storage = createStore();
  const other = open({ transport: "cookie" });
  const { client } = await signedIn({ transport: "cookie", storage });
  await new Promise(setImmediate);
  expect([client.user, other.client.user]).toEqual([USER, USER]);
  will("/data", ok);
  await client.fetch(at("/data"));
  expect(tokensOf()).toEqual([null]);
});

it("by cookie, a visitor who never signed in isn't told of an end, and gets what everybody gets", async () => {
  const { client, told } = open({ transport: "cookie" });
  const other = open({ transport: "cookie" });
  will(`${AUTH}/refresh`, refusal(401, "token_missing"));
  will("/data", ok, refusal(401, "token_missing"));
  expect((await client.fetch(at("/data"))).status).toBe(200);
  expect((await client.fetch(at("/data"))).status).toBe(401);
  expect(pathsOf()).toEqual(["/refresh", "/data", "/data"]);
  will(`${AUTH}/login`, tokens("a1"));
  await other.client.login("ada@example.com", "secret");
  await new Promise(setImmediate);
  expect(client.user).toEqual(USER);
  expect([...told, ...other.told]).toEqual([]);
});

it("a request is not sent once more as somebody else", async () => {
  const { client } = await signedIn();
  const ada = client.user;
  let answer: (response: Response) => void = () => undefined;
  will("/data", () => new Promise((resolve) => (answer = resolve)), ok);
  const asked = client.fetch(at("/data"), { method: "POST", body: "all my money" });
  while (!pathsOf().includes("/data")) await new Promise(setImmediate);
  will(`${AUTH}/login`, () =>
    Response.json({ access_token: "b1", refresh_token: "r-b1", expires_in: 900, user: { ...USER, id: "2" } }),
  );
  await client.login("bob@example.com", "secret");
  answer(EXPIRED());
  expect((await asked).status).toBe(401);
  expect([ada?.id, client.user?.id]).toEqual(["1", "2"]);
  expect(tokensOf()).toEqual(["Bearer a1"]);
});

it("by cookie, an answer that misses the token ends nothing before the service has said so", async () => {
  const { client, told } = await signedIn({ transport: "cookie" });
  will("/data", refusal(401, "token_missing"), ok);
  will(`${AUTH}/refresh`, cookiesSet);
  expect((await client.fetch(at("/data"))).status).toBe(200);
  expect([told, client.user]).toEqual([[], USER]);
  will("/data", refusal(401, "token_missing"));
  will(`${AUTH}/refresh`, refusal(401, "token_missing"));
  expect((await client.fetch(at("/data"))).status).toBe(401);
  expect(told).toEqual([{ reason: "expired", here: false }]);
});

it("a login that somebody else answers is no login", async () => {
  const { client } = open();
  will(`${AUTH}/login`, () => new Response("<h1>Welcome</h1>"));
  await expect(client.login("ada@example.com", "secret")).rejects.toMatchObject({
    code: "unexpected",
    retry: false,
  });
  expect(client.user).toBeUndefined();
});

it("a refresh that somebody else answers changes nothing", async () => {
  const { client, told } = await signedIn();
  will("/data", EXPIRED, EXPIRED, ok);
  will(`${AUTH}/refresh`, () => Response.json({}), tokens("a2"));
  await client.fetch(at("/data"));
  expect([told, client.user]).toEqual([[], USER]);
  expect((await client.fetch(at("/data"))).status).toBe(200);
  expect(tokensOf()).toEqual(["Bearer a1", "Bearer a1", "Bearer a2"]);
});

it("by cookie, no token is left of a page that kept them itself", async () => {
  const storage = createStore();
  await signedIn({ storage });
  const { client } = open({ transport: "cookie", storage });
  expect([client.user, storage.map.size]).toEqual([undefined, 0]);
});

it("a logout by bearer ends no session by cookie, though both are in one browser", async () => {
  const { client } = await signedIn({ storage: createStore() });
  const other = await signedIn({ transport: "cookie", storage: createStore() });
  will(`${AUTH}/logout`, loggedOut);
  await client.logout();
  await new Promise(setImmediate);
  expect([other.told, other.client.user]).toEqual([[], USER]);
});
