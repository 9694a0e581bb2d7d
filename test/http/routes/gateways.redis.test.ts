import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCaddy } from "../../helpers/caddy";
import { call, expectRefusal, register, untilReady, type Answer, type Tokens } from "../../helpers/client";
import { fillFile, type TestServer } from "../../helpers/gateway";
import { startHaproxy } from "../../helpers/haproxy";
import { decodePart, vary } from "../../helpers/jws";
import { useRedis } from "../../helpers/redis";
import { SECRET, useService } from "../../helpers/service";
import {
  bodyOf,
  expectSeen,
  expectUnseen,
  IDENTITY,
  sendRaw,
  startUpstream,
  valuesOf,
  type Seen,
} from "../../helpers/upstream";
import { use } from "../../helpers/use";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: "250" }));
const upstream = use(() => startUpstream());
const addresses = () => ({
  "127.0.0.1:3000": new URL(service.url).host,
  "127.0.0.1:8000": new URL(upstream.url).host,
});
const caddy = use(() => startCaddy("docs/Caddyfile", addresses()));
const haproxy = use(() => startHaproxy("docs/haproxy.cfg", "docs/haproxy.lua", addresses()));
const GATEWAYS: [string, TestServer][] = [
  ["Caddy", caddy],
  ["HAProxy", haproxy],
];

/** A login of each test's own. */
let tokens: Tokens;
beforeEach(async () => {
  tokens = await register(service.url);
});

const unseen = <T>(action: () => Promise<T>) => expectUnseen(upstream, action);
const bearer = () => `Authorization: Bearer ${tokens.access_token}`;
const cookie = () => ({ Cookie: `curfew_access=${tokens.access_token}` });

async function expectRefused(refuse: () => Promise<Answer>, status: number, code: string): Promise<void> {
  const answer = await unseen(refuse);
  expectRefusal(answer, status, code);
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

describe.each(GATEWAYS)("behind %s", (_title, gateway) => {
  const ask = (method: string, path: string, options?: Parameters<typeof call>[3]) =>
    call(gateway.url, method, path, options);

  it("a request with a good token reaches the application whole, which is told whose it is", async () => {
    const token = vary(tokens.access_token, SECRET, { claims: { roles: ["analyst", "a,b"] } });
    const body = { text: "the body of a request ".repeat(30_000) };
    const seen = await expectSeen(ask("PUT", "/reports?year=2026", { token, body }));
    const sha256 = createHash("sha256").update(JSON.stringify(body)).digest("hex");
    expect(seen).toMatchObject({ method: "PUT", path: "/reports?year=2026", sha256 });
    const { sub, jti, sid, iss, exp } = decodePart(token, 1) as Record<string, unknown>;
    expect(IDENTITY.map((name) => valuesOf(seen, name))).toEqual(
      [sub, jti, sid, iss, "analyst,a%2Cb", exp].map((value) => [String(value)]),
    );
  });

  it("a client's X-Verify-Status changes nothing", async () => {
    const headers = { "X-Verify-Status": "200" };
    await expectSeen(ask("GET", "/", { token: tokens.access_token, headers }));
  });

  it("what a client says of who it is never reaches the application, however it is spelled", async () => {
    const forged = [...IDENTITY, "X-AUTH-ROLES", "x-auth-else"].flatMap((name) => [
      ...[`${name}: forged`, `${name}: forged twice`, `${name.replaceAll("-", "_")}: forged`],
      ...[`${name.replaceAll("-", ".")}: forged`, `X-Auth_${name.slice(7)}: forged`],
    ]);
    const received = await sendRaw(gateway.url, "GET / HTTP/1.1", "Connection: close", bearer(), ...forged);
    const seen = bodyOf(received) as Seen;
    const told = seen.headers.filter(([name]) => /^x.auth/.test(name)).map(([name]) => name);
    expect(told.sort()).toEqual(IDENTITY.map((name) => name.toLowerCase()).sort());
    expect(JSON.stringify(seen)).not.toContain("forged");
  });

  it("a client can't have what Curfew said of it removed on the way", async () => {
    const named = IDENTITY.join(", ");
    for (const fields of [
      [`Connection: close, ${named}`],
      [`Connection: close, Upgrade, ${named}`, "Upgrade: h2c"],
    ]) {
      const seen = bodyOf(await sendRaw(gateway.url, "GET / HTTP/1.1", bearer(), ...fields)) as Seen;
      expect(IDENTITY.map((name) => valuesOf(seen, name).length)).toEqual(IDENTITY.map(() => 1));
    }
  });

  it("a token is refused after a logout through it, in Curfew's own words", async () => {
    const token = tokens.access_token;
    await expectSeen(ask("GET", "/", { token }));
    expect((await ask("POST", "/api/auth/logout", { token })).status).toBe(200);
    await expectRefused(() => ask("GET", "/", { token }), 401, "token_revoked");
    const body = { text: "a body that nobody reads" };
    await expectRefused(() => ask("POST", "/", { token, body }), 401, "token_revoked");
  });

  it("nobody gets in with no token, a forged one or two", async () => {
    const forged = vary(tokens.access_token, `${SECRET}x`, {});
    await expectRefused(() => ask("DELETE", "/", { token: forged }), 401, "token_invalid");
    await expectRefused(() => ask("OPTIONS", "/"), 401, "token_missing");
    const head = await unseen(() => ask("HEAD", "/"));
    expect([head.status, head.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="curfew"']);
    const twice = await unseen(() =>
      sendRaw(gateway.url, "GET / HTTP/1.1", "Connection: close", bearer(), bearer()),
    );
    expect(twice).toMatch(/^HTTP\/1.1 400 /);
  });

  it("a request by cookie passes for a page of the same host, and not for another's", async () => {
    for (const headers of [{ Origin: gateway.url }, { "Sec-Fetch-Site": "same-origin" }])
      await expectSeen(ask("POST", "/", { headers: { ...cookie(), ...headers } }));
    const elsewhere = { ...cookie(), Origin: "https://evil.example" };
    await expectSeen(ask("GET", "/", { headers: elsewhere }));
    for (const more of [{}, { "X-Forwarded-Method": "GET" }, { "X-Original-Method": "GET" }]) {
      const headers = { ...elsewhere, ...more };
      await expectRefused(() => ask("POST", "/", { headers }), 403, "cross_site_request");
    }
  });

  it("a connection becomes a WebSocket for a page of the same host, and nothing else", async () => {
    const open = (upgrade: string, ...fields: string[]) =>
      sendRaw(gateway.url, "GET /socket HTTP/1.1", `Upgrade: ${upgrade}`, ...fields);
    const socket = (origin: string, ...fields: string[]) =>
      open(
        "websocket",
        ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
        ...[`Cookie: ${cookie().Cookie}`, `Origin: ${origin}`, ...fields],
      );
    const opened = await socket(gateway.url, "Connection: Upgrade");
    expect(opened).toMatch(/^HTTP\/1.1 101 /);
    expect(opened).toContain(tokens.user.id);
    const refused = await unseen(() => socket("https://evil.example", "Connection: Upgrade, close"));
    expect(refused).toMatch(/^HTTP\/1.1 403 /);
    const h2c = await open("h2c", "Connection: Upgrade, HTTP2-Settings, close", bearer());
    expect(valuesOf(bodyOf(h2c) as Seen, "Upgrade")).toEqual([]);
  });
});

describe("while nobody can know, nobody gets in", () => {
  const statusOf = async ({ url }: TestServer) => {
    const headers = { Authorization: `Bearer ${tokens.access_token}` };
    return (await unseen(() => fetch(url, { headers }))).status;
  };

  it.each(GATEWAYS)("behind %s, because Redis doesn't answer", async (_title, gateway) => {
    process.kill(redis.pid, "SIGSTOP");
    try {
      const { access_token: token } = tokens;
      await expectRefused(() => call(gateway.url, "GET", "/", { token }), 503, "denylist_unavailable");
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await untilReady(service.url);
  });

  it("behind HAProxy, because the Lua fails", async () => {
    const lua = join(mkdtempSync(join(tmpdir(), "curfew-lua-")), "haproxy.lua");
    const ask = "local answer = ask(txn, url)";
    writeFileSync(lua, fillFile("docs/haproxy.lua", { [ask]: `error("broken") ${ask}` }));
    const broken = await startHaproxy("docs/haproxy.cfg", lua, addresses());
    expect(await statusOf(broken)).toBe(503);
    await broken.stop();
  });

  it("behind either, because Curfew is gone", async () => {
    await service.stop();
    expect([await statusOf(caddy), await statusOf(haproxy)]).toEqual([502, 503]);
  });
});
