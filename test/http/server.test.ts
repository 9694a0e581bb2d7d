import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { call, expectRefusal, register, type Answer } from "../helpers/client";
import { basic, CLIENT, writeClients } from "../helpers/oauth-client";
import { useService } from "../helpers/service";

/** How the service takes what no well-behaved client sends. Nothing here needs Redis. */
const service = useService(() => ({
  REDIS_URL: "memory://",
  CORS_ORIGINS: "https://good.example,http://localhost:5173",
  OAUTH_CLIENTS_FILE: writeClients(CLIENT),
}));

const addressOf = ({ url }: { url: string }) => ({ port: Number(new URL(url).port), host: "127.0.0.1" });

/** Rejects once the other side has ended the connection. */
const send = (socket: Socket, data: string) =>
  new Promise<void>((resolve, reject) => {
    socket.write(data, (error) => {
      if (error) reject(error);
      else setImmediate(resolve);
    });
  });

/** Sends bytes as they are and reads until the other side ends the connection. */
async function sendRaw(...chunks: string[]): Promise<string> {
  const socket = connect(addressOf(service));
  let received = "";
  socket.on("data", (chunk) => (received += chunk.toString()));
  // A reset is an answer too.
  socket.on("error", () => undefined);
  for (const chunk of chunks) socket.write(chunk);
  await once(socket, "close");
  return received;
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
const stillServes = async () => {
  expect((await call(service.url, "GET", "/healthz")).status).toBe(200);
};

describe("a client that dawdles", () => {
  const head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

  it("in its headers, its body or a chunk of it is cut off with 408, and others are served meanwhile", async () => {
    const answers = Promise.all([
      sendRaw(head),
      sendRaw(`${head}Content-Length: 100\r\n\r\n`, '{"email"'),
      sendRaw(`${head}Transfer-Encoding: chunked\r\n\r\n`, "5\r\n{"),
    ]);
    await stillServes();
    expect((await answers).map(statusOf)).toEqual([408, 408, 408]);
  });
});

describe("a body of more than 16 KiB is refused at once, and the connection is closed", () => {
  const json = "Content-Type: application/json\r\n";
  const form = `Content-Type: application/x-www-form-urlencoded\r\nAuthorization: ${basic(CLIENT)}\r\n`;
  const announced = "Content-Length: 1000000000\r\n";
  const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`;
  const chunked = (head: string) => [`${head}Transfer-Encoding: chunked\r\n`, chunk(9000), chunk(9000)];

  it.each([
    ["announced", "POST /api/auth/login", [json + announced]],
    ["announced", "POST /api/auth/register", [json + announced]],
    ["announced", "POST /api/auth/refresh", [json + announced]],
    ["announced", "POST /api/v1/auth/logout", [json + announced]],
    ["announced", "DELETE /v1/auth/session", [announced]],
    ["announced, as another type", "POST /api/auth/login", [announced]],
    ["announced, half sent", "POST /api/auth/login", [json + announced, '{"email":"']],
    ["announced", "POST /oauth/introspect", [form + announced]],
    [
      "announced, as another type",
      "POST /oauth/introspect",
      [form.replace("x-www-form-urlencoded", "json") + announced],
    ],
    ["which comes in chunks", "POST /api/auth/login", chunked(json)],
    ["which comes in chunks", "POST /api/auth/logout", chunked("")],
    ["which comes in chunks", "POST /oauth/revoke", chunked(form)],
  ])("%s: %s", async (_title, route, [headers = "", ...body]) => {
    const startedAt = performance.now();
    const answer = await sendRaw(`${route} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`, ...body);
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect(statusOf(answer)).toBe(413);
    expect(answer).toMatch(/^Connection: close\r$/im);
    expect(answer).toContain('"code":"body_too_large"');
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it.each([
    ["POST /api/auth/verify", 401],
    ["POST /api/auth/password", 401],
    ["POST /oauth/introspect", 413],
    ["POST /nowhere", 404],
    ["PUT /api/auth/login", 405],
  ])("who is refused before it is read can't go on either: %s", async (route, status) => {
    const answer = await sendRaw(`${route} HTTP/1.1\r\nHost: x\r\n${json}${announced}\r\n`);
    expect(statusOf(answer)).toBe(status);
    expect(answer).toMatch(/^Connection: close\r$/im);
  });

  it("who asks first is not told to go on", async () => {
    const ask = (length: number) =>
      `POST /api/auth/login HTTP/1.1\r\nHost: x\r\n${json}Content-Length: ${length}\r\nExpect: 100-continue\r\n`;
    const refused = await sendRaw(`${ask(1_000_000_000)}\r\n`);
    expect([statusOf(refused), refused.includes("100 Continue")]).toEqual([413, false]);
    const taken = await sendRaw(`${ask(2)}Connection: close\r\n\r\n`, "{}");
    expect(taken).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 /);
  });

  it.each([
    ["announced", "Content-Length: 3000000\r\n\r\n", "x".repeat(10_000)],
    ["which comes in chunks", `Transfer-Encoding: chunked\r\n\r\n${chunk(20_000)}`, chunk(10_000)],
  ])(
    "%s: a client that goes on sending isn't reset, so it can read the answer",
    async (_title, start, piece) => {
      const socket = connect({ ...addressOf(service), allowHalfOpen: true });
      socket.write(`POST /api/auth/login HTTP/1.1\r\nHost: x\r\n${json}${start}`);
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(statusOf(String(answer))).toBe(413);
      for (let round = 0; round < 50; round += 1) await send(socket, piece);
      socket.end();
      await once(socket, "close");
    },
  );

  it("one that sends it whole before it reads has the answer, and can go on", async () => {
    for (let round = 0; round < 5; round += 1) {
      const answer = await call(service.url, "POST", "/api/auth/login", { body: "x".repeat(3_000_000) });
      expectRefusal(answer, 413, "body_too_large");
    }
    await stillServes();
  });

  it("what comes after the answer is no request any more", async () => {
    const { access_token: token } = await register(service.url);
    const body = "x".repeat(20_000);
    const socket = connect({ ...addressOf(service), allowHalfOpen: true });
    socket.write(`POST /api/auth/login HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 20000\r\n\r\n${body}`);
    socket.resume();
    await once(socket, "end");
    await send(socket, `POST /api/auth/logout HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    socket.end();
    await once(socket, "close");
    expect((await call(service.url, "GET", "/api/auth/verify", { token })).status).toBe(204);
  });

  it("one that never stops sending is cut off all the same", async () => {
    const socket = connect({ ...addressOf(service), allowHalfOpen: true });
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(`POST /api/auth/login HTTP/1.1\r\nHost: x\r\n${json}${announced}\r\n`);
    const goOn = async () => {
      for (;;) await send(socket, "x".repeat(10_000));
    };
    await expect(goOn()).rejects.toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) as string });
    await stillServes();
  });
});

describe("a request that two servers could read differently", () => {
  it.each([
    [
      "Content-Length and Transfer-Encoding",
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["two Content-Lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"],
    ["a folded header", "X-A: b\r\n c\r\n\r\n"],
    ["a space before the colon", "Content-Length : 2\r\n\r\n{}"],
    ["a NUL in a header", "X-A: \u0000\r\n\r\n"],
    ["a header block beyond 16 KiB", `X-A: ${"a".repeat(17_000)}\r\n\r\n`],
  ])("has %s: the connection ends with an error", async (_title, rest) => {
    const answer = await sendRaw(`POST /api/auth/login HTTP/1.1\r\nHost: x\r\n${rest}`);
    expect([400, 431]).toContain(statusOf(answer));
    await stillServes();
  });

  it("has an unknown Transfer-Encoding: all that follows is its body, which nobody reads", async () => {
    const next = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    const raw = `POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${next}`;
    const answer = await sendRaw(raw);
    expect(answer.match(/HTTP\/1\.1 4\d\d/g)).toHaveLength(1);
    expect(answer).not.toContain("HTTP/1.1 200");
  });

  it("has a target that is no URL: 400, in the envelope of every error", async () => {
    const answer = await sendRaw("GET http://[/x HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(statusOf(answer)).toBe(400);
    expect(answer).toContain('"code":"invalid_request"');
  });

  it("CONNECT gets no tunnel", async () => {
    expect(await sendRaw("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")).toBe("");
    await stillServes();
  });

  it("takes no address of itself from Host", async () => {
    const raw =
      "GET /openapi.json HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n";
    expect(await sendRaw(raw)).not.toContain("evil.example");
  });
});

describe("CORS", () => {
  const ask = (origin: string, method = "GET", headers: Record<string, string> = {}) =>
    call(service.url, method, "/api/users/me", { headers: { Origin: origin, ...headers } });
  const allowed = ({ headers }: Answer) => headers.get("access-control-allow-origin");

  it("lets the configured origins in, each by its name, with credentials", async () => {
    for (const origin of ["https://good.example", "http://localhost:5173"]) {
      const answer = await ask(origin);
      expectRefusal(answer, 401, "token_missing");
      expect(allowed(answer)).toBe(origin);
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
      expect(answer.headers.get("vary")).toMatch(/Origin/);
      for (const name of ["WWW-Authenticate", "Retry-After", "X-Request-Id"]) {
        expect(answer.headers.get("access-control-expose-headers")).toContain(name);
      }
    }
  });

  it.each([
    "https://evil.example",
    "https://good.example.evil.com",
    "https://evilgood.example",
    "http://good.example",
    "https://good.example:444",
    "https://good.example, https://evil.example",
    "https://GOOD.example",
    "null",
  ])("lets %s read nothing", async (origin) => {
    const answer = await ask(origin);
    expect(allowed(answer)).toBeNull();
    expect(answer.headers.get("vary")).toMatch(/Origin/);
    expect(allowed(await ask(origin, "OPTIONS", { "Access-Control-Request-Method": "GET" }))).toBeNull();
  });

  it("answers a preflight without a token, and lets it be kept", async () => {
    const answer = await ask("https://good.example", "OPTIONS", {
      "Access-Control-Request-Method": "DELETE",
      "Access-Control-Request-Headers": "authorization,content-type",
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-methods")).toBe("GET,POST,DELETE");
    expect(answer.headers.get("access-control-allow-headers")).toBe("authorization,content-type");
    expect(answer.headers.get("access-control-max-age")).toBe("7200");
  });

  it("answers an OPTIONS that is no preflight like every method that a route doesn't know", async () => {
    for (const path of ["/api/users/me", "/api/auth/login", "/healthz"]) {
      expectRefusal(await call(service.url, "OPTIONS", path), 405, "method_not_allowed");
    }
    expectRefusal(await call(service.url, "OPTIONS", "/nothing"), 404, "not_found");
  });

  it("lets no OPTIONS past /verify without a token, preflight or not, because a gateway may hand on its client's", async () => {
    for (const path of ["/api/auth/verify", "/api/v1/auth/verify/some/path"]) {
      const preflight = { Origin: "https://good.example", "Access-Control-Request-Method": "GET" };
      expectRefusal(await call(service.url, "OPTIONS", path), 401, "token_missing");
      expectRefusal(await call(service.url, "OPTIONS", path, { headers: preflight }), 401, "token_missing");
      const { access_token } = await register(service.url);
      expect((await call(service.url, "OPTIONS", path, { token: access_token })).status).toBe(204);
    }
  });

  it("keeps the answers of a browser's refused page from acting: a login by cookie from it is a 403", async () => {
    const { user } = await register(service.url);
    const answer = await call(service.url, "POST", "/api/auth/login", {
      body: { email: user.email, password: "an unlikely passphrase", transport: "cookie" },
      headers: { Origin: "https://evil.example" },
    });
    expectRefusal(answer, 403, "cross_site_request");
    expect(answer.headers.getSetCookie()).toEqual([]);
  });
});

it("asks nothing of a page's condition or range that could fail", async () => {
  for (const path of ["/docs", "/docs/docs.js", "/", "/shared/page.css"]) {
    for (const headers of [{ Range: "bytes=99999999-" }, { "If-Match": '"x"' }] as Record<string, string>[]) {
      const response = await fetch(service.url + path, { headers });
      expect(response.status).toBeLessThan(500);
    }
  }
  expect(service.log.join("\n")).not.toContain('"code":"internal"');
});

it("every answer has an API's security headers, errors too", async () => {
  const answers = [
    await call(service.url, "GET", "/healthz"),
    await call(service.url, "GET", "/api/users/me"),
    await call(service.url, "GET", "/nothing"),
    await call(service.url, "PUT", "/api/auth/login"),
    await call(service.url, "POST", "/api/auth/login", { body: { email: "x".repeat(20_000) } }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 401, 404, 405, 413]);
  for (const { headers } of answers) {
    expect(headers.get("strict-transport-security")).toBe("max-age=63072000; includeSubDomains");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toBe("default-src 'none';frame-ancestors 'none'");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("x-powered-by")).toBeNull();
    expect(headers.get("server")).toBeNull();
  }
});

describe("a request that acts by cookie, over the wire", () => {
  it.each([
    ["POST", "/api/auth/logout"],
    ["POST", "/api/v1/auth/logout"],
    ["POST", "/api/auth/refresh"],
    ["POST", "/api/auth/password"],
    ["DELETE", "/api/auth/sessions"],
    ["POST", "/api/auth/verify"],
    ["GET", "/api/auth/verify"],
  ])("%s %s is refused from somebody else's page, and nothing changes", async (method, path) => {
    const { access_token, refresh_token } = await register(service.url);
    const cookies = { Cookie: `curfew_access=${access_token}; curfew_refresh=${refresh_token}` };
    const fromPage = (headers: Record<string, string>) =>
      call(service.url, method, path, { headers: { ...cookies, ...headers } });
    for (const headers of [
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
      { Origin: "https://evil.example" },
      { Origin: "null" },
    ]) {
      expectRefusal(await fromPage(headers), 403, "cross_site_request");
    }
    expect((await call(service.url, "GET", "/api/users/me", { headers: cookies })).status).toBe(200);
    const own = { Origin: service.url, "Sec-Fetch-Site": "same-origin" };
    expect((await fromPage(own)).status).not.toBe(403);
    expect(
      (await fromPage({ Origin: "https://good.example", "Sec-Fetch-Site": "cross-site" })).status,
    ).not.toBe(403);
  });

  it("/verify asks about the method of the request behind it", async () => {
    const { access_token } = await register(service.url);
    const verify = (headers: Record<string, string>) =>
      call(service.url, "GET", "/api/auth/verify", {
        headers: { Cookie: `curfew_access=${access_token}`, "Sec-Fetch-Site": "cross-site", ...headers },
      });
    expect((await verify({ "X-Forwarded-Method": "GET" })).status).toBe(204);
    expect((await verify({ "X-Original-Method": "HEAD" })).status).toBe(204);
    expectRefusal(await verify({ "X-Forwarded-Method": "POST" }), 403, "cross_site_request");
    expectRefusal(await verify({ "X-Original-Method": "DELETE" }), 403, "cross_site_request");
    expectRefusal(await verify({}), 403, "cross_site_request");
    // Only one of the two is the gateway's.
    const [get, post] = ["GET", "POST"];
    expectRefusal(
      await verify({ "X-Forwarded-Method": get, "X-Original-Method": post }),
      403,
      "cross_site_request",
    );
    expectRefusal(
      await verify({ "X-Forwarded-Method": post, "X-Original-Method": get }),
      403,
      "cross_site_request",
    );
  });
});
