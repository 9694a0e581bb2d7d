import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import {
  call,
  expectRefusal,
  logout,
  me,
  register,
  untilReady,
  type Answer,
  type Tokens,
} from "../../helpers/client";
import { decodePart, vary } from "../../helpers/jws";
import { startNginx } from "../../helpers/nginx";
import { useRedis } from "../../helpers/redis";
import { SECRET, useService } from "../../helpers/service";
import {
  bodyOf,
  expectSeen,
  expectUnseen as expectNothingSeen,
  IDENTITY,
  sendRaw,
  startUpstream,
  valuesOf,
  type Seen,
} from "../../helpers/upstream";
import { use } from "../../helpers/use";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url, CORS_ORIGINS: "https://friend.example" }));
const upstream = use(() => startUpstream());
const wire = use(() => startWire(Number(new URL(service.url).port)));
const nginx = use(() =>
  startNginx("docs/nginx.conf", {
    "127.0.0.1:3000": `127.0.0.1:${wire.port}`,
    "127.0.0.1:8000": new URL(upstream.url).host,
  }),
);
/** A login of each test's own. */
let tokens: Tokens;
beforeEach(async () => {
  tokens = await register(service.url);
});

/** What nginx sends to Curfew, and over how many connections. */
type Wire = { port: number; sent: string; connections: number; stop(): void };

async function startWire(target: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  const server = createServer((from) => {
    const to = connect(target, "127.0.0.1");
    wire.connections += 1;
    from.on("data", (chunk) => (wire.sent += chunk.toString("latin1")));
    from.pipe(to).pipe(from);
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        from.destroy();
        to.destroy();
      });
    }
  })
    .listen(0, "127.0.0.1")
    .unref();
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sent: "",
    connections: 0,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

type Options = Parameters<typeof call>[3];

const ask = (method: string, path: string, options?: Options) => call(nginx.url, method, path, options);

const expectUnseen = <T>(action: () => Promise<T>) => expectNothingSeen(upstream, action);

const expectRefused = async (refuse: () => Promise<Answer>, status: number, code: string) => {
  const answer = await expectUnseen(refuse);
  expectRefusal(answer, status, code);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  return answer;
};

const cookie = () => ({ Cookie: `curfew_access=${tokens.access_token}` });
const bearer = () => `Authorization: Bearer ${tokens.access_token}`;

const send = (...lines: string[]) => sendRaw(nginx.url, ...lines);
const getRaw = (...fields: string[]) => send("GET / HTTP/1.1", "Connection: close", ...fields);

describe("a request with a good token", () => {
  it("reaches the application, which is told whose it is", async () => {
    const seen = await expectSeen(ask("GET", "/reports?year=2026", { token: tokens.access_token }));
    expect(seen).toMatchObject({ method: "GET", path: "/reports?year=2026" });
    const { sub, jti, sid, iss, exp } = decodePart(tokens.access_token, 1) as Record<string, unknown>;
    expect(IDENTITY.map((name) => valuesOf(seen, name))).toEqual([
      [sub],
      [jti],
      [sid],
      [iss],
      // No roles, no header.
      [],
      [String(exp)],
    ]);
  });

  it("brings its roles", async () => {
    const token = vary(tokens.access_token, SECRET, { claims: { roles: ["analyst", "a,b"] } });
    const seen = await expectSeen(ask("GET", "/", { token }));
    expect(valuesOf(seen, "X-Auth-Roles")).toEqual(["analyst,a%2Cb"]);
  });

  it.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("may be a %s", async (method) => {
    const seen = await expectSeen(ask(method, "/", { token: tokens.access_token }));
    expect(seen.method).toBe(method);
    await expectRefused(() => ask(method, "/"), 401, "token_missing");
  });

  it("may be a HEAD", async () => {
    const { status, headers } = await ask("HEAD", "/", { token: tokens.access_token });
    expect([status, headers.get("x-method")]).toEqual([200, "HEAD"]);
    const refused = await expectUnseen(() => ask("HEAD", "/"));
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="curfew"']);
  });

  it("brings its body whole to the application, and none of it to Curfew", async () => {
    wire.sent = "";
    const body = { text: "the body of a request ".repeat(30_000) };
    const sha256 = createHash("sha256").update(JSON.stringify(body)).digest("hex");
    const seen = await expectSeen(ask("POST", "/", { token: tokens.access_token, body }));
    expect(seen.sha256).toBe(sha256);
    expect(wire.sent).toMatch(/^X-Original-Method: POST\r$/m);
    expect(wire.sent).not.toMatch(/body of a request|^(Content-Length|Transfer-Encoding)/im);
  });

  it("keeps the connections to Curfew and to the application for the next", async () => {
    const inTurn: number[] = [];
    await ask("GET", "/", { token: tokens.access_token });
    const before = wire.connections;
    for (let count = 0; count < 5; count += 1) {
      inTurn.push((await expectSeen(ask("GET", "/", { token: tokens.access_token }))).connection);
    }
    expect(wire.connections).toBe(before);
    expect(new Set(inTurn).size).toBe(1);
  });
});

describe("who a request says it comes from", () => {
  const forged = [...IDENTITY, "X-AUTH-ROLES", "x-auth-subject"].flatMap((name) => [
    `${name}: forged`,
    `${name}: forged twice`,
    `${name.replaceAll("-", "_")}: forged`,
    `${name.replaceAll("-", ".")}: forged`,
    `X-Auth_${name.slice(7)}: forged`,
  ]);

  it("is nothing to the application, however it is spelled", async () => {
    const seen = bodyOf(await getRaw(bearer(), ...forged)) as Seen;
    const told = seen.headers.filter(([name]) => /^x.auth/.test(name));
    expect(told.map(([name]) => name).sort()).toEqual(
      IDENTITY.filter((name) => name !== "X-Auth-Roles")
        .map((name) => name.toLowerCase())
        .sort(),
    );
    expect(JSON.stringify(seen)).not.toContain("forged");
  });

  it("is nothing to Curfew's own routes either", async () => {
    wire.sent = "";
    await send("GET /api/auth/sessions HTTP/1.1", "Connection: close", bearer(), ...forged);
    expect(wire.sent).toContain("GET /api/auth/sessions");
    expect(wire.sent).not.toContain("forged");
  });
});

describe("a request is refused in Curfew's own words, and the application never hears of it", () => {
  it("after logout", async () => {
    const token = tokens.access_token;
    await expectSeen(ask("GET", "/", { token }));
    expect((await ask("POST", "/api/auth/logout", { token })).status).toBe(200);
    await expectRefused(() => ask("GET", "/", { token }), 401, "token_revoked");
    await expectRefused(
      () => ask("POST", "/", { token, body: { large: "x".repeat(300_000) } }),
      401,
      "token_revoked",
    );
  });

  it("with a token that is over, or forged, or not there", async () => {
    const over = { iat: 1_700_000_000, exp: 1_700_000_900 };
    const expired = vary(tokens.access_token, SECRET, { claims: over });
    await expectRefused(() => ask("GET", "/", { token: expired }), 401, "token_expired");
    const forged = vary(tokens.access_token, `${SECRET}x`, {});
    await expectRefused(() => ask("DELETE", "/", { token: forged }), 401, "token_invalid");
    await expectRefused(() => ask("GET", "/"), 401, "token_missing");
  });

  it("with two credentials of a kind", async () => {
    const twice = await expectUnseen(() => getRaw(bearer(), bearer()));
    expect(twice).toMatch(/^HTTP\/1.1 400 /);
    const cookies = await expectUnseen(() =>
      ask("GET", "/", { headers: { Cookie: "curfew_access=a; curfew_access=b" } }),
    );
    expectRefusal(cookies, 400, "invalid_request");
    expect(cookies.body).toMatchObject({ details: [{ path: "curfew_access" }] });
  });
});

describe("a request by cookie", () => {
  const fromElsewhere = { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" };

  it("passes when it comes from a page of the same host, and when it changes nothing", async () => {
    const own = { Origin: nginx.url, "Sec-Fetch-Site": "same-origin" };
    expect(await expectSeen(ask("POST", "/", { headers: { ...cookie(), ...own } }))).toMatchObject({
      method: "POST",
    });
    await expectSeen(ask("POST", "/", { headers: { ...cookie(), Origin: nginx.url } }));
    await expectSeen(ask("POST", "/", { headers: { ...cookie(), Origin: "https://friend.example" } }));
    await expectSeen(ask("GET", "/", { headers: { ...cookie(), ...fromElsewhere } }));
  });

  it.each(["POST", "PUT", "PATCH", "DELETE"])(
    "is stopped when it is a %s of another site's page",
    async (method) => {
      for (const headers of [
        fromElsewhere,
        { Origin: "https://evil.example" },
        { "Sec-Fetch-Site": "same-site" },
        {
          ...fromElsewhere,
          "X-Original-Method": "GET",
          "X-Forwarded-Method": "GET",
          "X-HTTP-Method-Override": "GET",
        },
      ]) {
        await expectRefused(
          () => ask(method, "/", { headers: { ...cookie(), ...headers } }),
          403,
          "cross_site_request",
        );
      }
    },
  );

  it("works with the cookie that a login through nginx sets", async () => {
    const body = { email: "ada@example.com", password: "a long enough passphrase", transport: "cookie" };
    const { status, headers } = await ask("POST", "/api/v1/auth/register", { body });
    expect(status).toBe(201);
    const [access = ""] = headers.getSetCookie().map((line) => line.split(";")[0]);
    await expectSeen(ask("POST", "/", { headers: { Cookie: access } }));
  });
});

describe("a WebSocket", () => {
  const open = (...fields: string[]) =>
    send(
      "GET /socket HTTP/1.1",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ...fields,
    );
  const byCookie = (...fields: string[]) => open(`Cookie: ${cookie().Cookie}`, ...fields);

  it("is opened for a page of the same host", async () => {
    const received = await byCookie(`Origin: ${nginx.url}`);
    expect(received).toMatch(/^HTTP\/1.1 101 /);
    const seen = bodyOf(received) as Seen;
    expect(seen).toMatchObject({ method: "GET", path: "/socket" });
    expect(valuesOf(seen, "Upgrade")).toEqual(["websocket"]);
    expect(valuesOf(seen, "X-Auth-Subject")).toEqual([tokens.user.id]);
  });

  it("by cookie is refused to another site's page, although it begins with a GET", async () => {
    for (const from of ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"]) {
      const received = await expectUnseen(() => byCookie("Connection: close", from));
      expect(received).toMatch(/^HTTP\/1.1 403 /);
      expect(bodyOf(received)).toMatchObject({ code: "cross_site_request" });
    }
  });

  it("with a token in its header is opened for whoever has it", async () => {
    expect(await open(bearer(), "Origin: https://evil.example")).toMatch(/^HTTP\/1.1 101 /);
  });

  it("is all that a connection may become", async () => {
    const seen = bodyOf(
      await send(
        "GET / HTTP/1.1",
        "Connection: Upgrade, HTTP2-Settings, close",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
        bearer(),
      ),
    ) as Seen;
    expect(valuesOf(seen, "Upgrade")).toEqual([]);
    expect(valuesOf(seen, "Connection")).toEqual([]);
  });
});

describe("a gateway that takes only 200 for a yes", () => {
  const verify = (status: string) =>
    call(service.url, "GET", "/api/auth/verify", {
      token: tokens.access_token,
      headers: { "X-Verify-Status": status },
    });

  it("gets a 200 without a body when it asks for one", async () => {
    const { status, headers, body } = await verify("200");
    expect([status, body, headers.get("content-length")]).toEqual([200, undefined, "0"]);
    expect(headers.get("x-auth-subject")).toBe(tokens.user.id);
  });

  it.each(["204", "201", "403", "500", "200.0", "2e2", " ", "200, 200", "no"])(
    "gets no %j",
    async (status) => {
      expect((await verify(status)).status).toBe(204);
    },
  );

  it("gets no yes for a bad token", async () => {
    await logout(service.url, tokens.access_token);
    expectRefusal(await verify("200"), 401, "token_revoked");
  });
});

describe("while Curfew can't know", () => {
  const expectClosed = async () => {
    const { token, headers } = { token: tokens.access_token, headers: cookie() };
    await expectRefused(() => ask("GET", "/", { token }), 503, "denylist_unavailable");
    await expectRefused(() => ask("POST", "/", { headers, body: {} }), 503, "denylist_unavailable");
    expect((await expectUnseen(() => ask("HEAD", "/", { token }))).status).toBe(503);
  };

  it("nobody gets in, in the words that Curfew has for it, and everybody afterwards", async () => {
    process.kill(redis.pid, "SIGSTOP");
    try {
      await expectClosed();
      const [own, through] = await Promise.all(
        [service.url, nginx.url].map((url) =>
          call(url, "GET", "/api/users/me", { token: tokens.access_token }),
        ),
      );
      expect(through?.body).toEqual(own?.body);
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await untilReady(service.url);
    expect((await me(service.url, tokens.access_token)).status).toBe(200);
    await expectSeen(ask("GET", "/", { token: tokens.access_token }));
  });

  it("because Redis is gone, nobody gets in, nor when it is back without its memory", async () => {
    await redis.kill();
    await expectClosed();
    await redis.start();
    await untilReady(service.url);
    await expectRefused(() => ask("GET", "/", { token: tokens.access_token }), 401, "token_revoked");
  });

  it("because it was stopped itself, nobody gets in", async () => {
    await service.stop();
    await expectClosed();
  });
});
