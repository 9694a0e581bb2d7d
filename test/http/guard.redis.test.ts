import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  call,
  expectRefusal,
  login,
  logout,
  me,
  refresh,
  register,
  type Answer,
  type Tokens,
} from "../helpers/client";
import { decodePart, encode, forge, hmacSigner, keySigner, malleate, vary } from "../helpers/jws";
import { useRedis } from "../helpers/redis";
import { SECRET, useService } from "../helpers/service";

const redis = useRedis();
const service = useService(() => ({ REDIS_URL: redis.url }));
/** A genuine login. No test logs it out: after each of them it must still work. */
let tokens: Tokens;

beforeAll(async () => {
  tokens = await register(service.url);
});
afterEach(async () => {
  expect((await me(service.url, tokens.access_token)).status).toBe(200);
  expect(service.process.exitCode).toBeNull();
});

const withHeader = (authorization: string) =>
  call(service.url, "GET", "/api/users/me", { headers: { Authorization: authorization } });

/** The login's own token with something changed, and rightly signed again. */
const changed = (change: { header?: Record<string, unknown>; claims?: Record<string, unknown> }) =>
  vary(tokens.access_token, SECRET, change);
const forged = () => vary(tokens.access_token, `${SECRET}x`, {});

/** Sends bytes as they stand, for what no HTTP client would send. */
async function sendRaw(head: string[]): Promise<Answer> {
  const socket = connect(Number(new URL(service.url).port), "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
  await once(socket, "close");
  const [top = "", text = ""] = Buffer.concat(chunks).toString().split("\r\n\r\n");
  const [statusLine = "", ...fields] = top.split("\r\n");
  return {
    status: Number(statusLine.split(" ")[1]),
    headers: new Headers(
      fields.map((field): [string, string] => {
        const colon = field.indexOf(":");
        return [field.slice(0, colon), field.slice(colon + 1).trim()];
      }),
    ),
    body: text === "" ? undefined : (JSON.parse(text) as unknown),
  };
}

const rawGet = (...fields: string[]) =>
  sendRaw(["GET /api/users/me HTTP/1.1", "Host: localhost", "Connection: close", ...fields]);

/** What Redis was asked meanwhile, apart from signs of life and from what this asks itself. */
/** What the service asks of Redis now and then by itself may come in between; not every time. */
async function commandsDuring(action: () => Promise<unknown>): Promise<string[]> {
  const commands = await commandsOnceDuring(action);
  return commands.includes("xrevrange") ? commandsOnceDuring(action) : commands;
}

async function commandsOnceDuring(action: () => Promise<unknown>): Promise<string[]> {
  await redis.admin.config("RESETSTAT");
  await action();
  const stats = await redis.admin.info("commandstats");
  const names = Array.from(stats.matchAll(/^cmdstat_([^:]+):/gm), ([, name = ""]) => name);
  return names.filter((name) => !["config|resetstat", "info", "ping"].includes(name));
}

/** Checks the refusal, and that nothing was asked of Redis for it (N0). */
async function expectRefusedUnasked(request: () => Promise<Answer>, status: number, code: string) {
  let answer: Answer | undefined;
  const commands = await commandsDuring(async () => (answer = await request()));
  if (!answer) throw new Error("there was no answer");
  expectRefusal(answer, status, code);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("set-cookie")).toBeNull();
  expect(commands).toEqual([]);
  return answer;
}

/** An answer without what differs from request to request. */
function comparable({ status, headers, body }: Answer) {
  const fields = [...headers].filter(([name]) => !["date", "x-request-id"].includes(name));
  return { status, fields, body };
}

describe("without a token", () => {
  it("answers 401 with a bare challenge", async () => {
    await expectRefusedUnasked(() => call(service.url, "GET", "/api/users/me"), 401, "token_missing");
  });

  it.each([
    ["GET", "/api/users/me"],
    ["GET", "/api/auth/sessions"],
    ["DELETE", "/api/auth/sessions"],
    ["DELETE", "/api/auth/sessions/6c0d6a52-5d53-4e29-9a52-0f2f4a0f7f10"],
    ["POST", "/api/auth/password"],
    ["POST", "/api/auth/logout"],
    ["GET", "/api/auth/verify"],
    ["PATCH", "/api/v1/auth/verify/any/path"],
  ])("guards %s %s", async (method, path) => {
    await expectRefusedUnasked(() => call(service.url, method, path), 401, "token_missing");
    const token = forged();
    await expectRefusedUnasked(() => call(service.url, method, path, { token }), 401, "token_invalid");
  });
});

describe("the Authorization header", () => {
  it.each(["bearer", "BEARER", "BeArEr", "Bearer  ", "Bearer    "])(
    "takes %j for the scheme",
    async (scheme) => {
      const answer = await withHeader(`${scheme} ${tokens.access_token}`);
      expect(answer).toMatchObject({ status: 200, body: { id: tokens.user.id } });
    },
  );

  it.each([
    ["Basic", () => `Basic ${Buffer.from("user:password").toString("base64")}`],
    ["Basic with a genuine token", () => `Basic ${tokens.access_token}`],
    ["an unknown scheme", () => `foo ${tokens.access_token}`],
    ["Token", () => `Token ${tokens.access_token}`],
    ["DPoP", () => `DPoP ${tokens.access_token}`],
    ["a scheme that begins like ours", () => `Bearerx ${tokens.access_token}`],
    ["the token without a scheme", () => tokens.access_token],
    ["Bearer alone", () => "Bearer"],
    ["Bearer and a space", () => "Bearer "],
    ["nothing", () => ""],
  ])("takes %s for no token", async (_title, header) => {
    await expectRefusedUnasked(() => withHeader(header()), 401, "token_missing");
  });

  it.each([
    ["a second word", () => `Bearer ${tokens.access_token} x`],
    ["the token twice", () => `Bearer ${tokens.access_token}, Bearer ${tokens.access_token}`],
    ["the token twice, with one scheme", () => `Bearer ${tokens.access_token},${tokens.access_token}`],
    ["quotes", () => `Bearer "${tokens.access_token}"`],
    ["a parameter", () => `Bearer token="${tokens.access_token}"`],
    ["a tab in front of the token", () => `Bearer \t${tokens.access_token}`],
    ["a tab for the space", () => `Bearer\t${tokens.access_token}`],
    ["an encoded space", () => `Bearer%20${tokens.access_token}`],
    ["an encoded line break at the end", () => `Bearer ${tokens.access_token}%0A`],
    ["padding at the end", () => `Bearer ${tokens.access_token}=`],
    ["another scheme in front", () => `Bearer Bearer ${tokens.access_token}`],
  ])("refuses %s", async (_title, header) => {
    await expectRefusedUnasked(() => withHeader(header()), 401, "token_invalid");
  });

  describe("sent twice", () => {
    const bearer = (token: string) => `Authorization: Bearer ${token}`;

    it.each([
      ["valid and valid", () => [bearer(tokens.access_token), bearer(tokens.access_token)]],
      ["valid and forged", () => [bearer(tokens.access_token), bearer(forged())]],
      ["forged and valid", () => [bearer(forged()), bearer(tokens.access_token)]],
      ["another scheme and valid", () => ["Authorization: Basic dTpw", bearer(tokens.access_token)]],
      ["empty and valid", () => ["Authorization:", bearer(tokens.access_token)]],
      ["valid and in lower case", () => [bearer(tokens.access_token), bearer(forged()).toLowerCase()]],
    ])("refuses %s", async (_title, fields) => {
      const answer = await expectRefusedUnasked(() => rawGet(...fields()), 400, "invalid_request");
      expect(answer.body).toMatchObject({ details: [{ path: "Authorization" }] });
    });

    it("logs nobody out", async () => {
      const commands = await commandsDuring(async () => {
        const answer = await sendRaw([
          "POST /api/auth/logout HTTP/1.1",
          "Host: localhost",
          "Connection: close",
          "Content-Length: 0",
          bearer(tokens.access_token),
          bearer(tokens.access_token),
        ]);
        expectRefusal(answer, 400, "invalid_request");
      });
      expect(commands).toEqual([]);
    });
  });

  describe("beside a cookie", () => {
    const cookies = (token: string) => `curfew_access=${token}; __Host-curfew_access=${token}`;
    const get = (authorization: string, cookie: string) =>
      call(service.url, "GET", "/api/users/me", {
        headers: { Authorization: authorization, Cookie: cookie },
      });

    it("is refused when it is bad, however good the cookie", async () => {
      const good = cookies(tokens.access_token);
      await expectRefusedUnasked(() => get(`Bearer ${forged()}`, good), 401, "token_invalid");
      await expectRefusedUnasked(() => get("Bearer x y", good), 401, "token_invalid");
      await expectRefusedUnasked(() => get("Basic dTpw", good), 401, "token_missing");
      await expectRefusedUnasked(() => get("Bearer", good), 401, "token_missing");
    });

    it("is accepted when it is good, however bad the cookie", async () => {
      const answer = await get(`Bearer ${tokens.access_token}`, cookies("forged"));
      expect(answer).toMatchObject({ status: 200, body: { id: tokens.user.id } });
    });

    it("alone says who is asking", async () => {
      const other = await register(service.url);
      const answer = await get(`Bearer ${tokens.access_token}`, cookies(other.access_token));
      expect(answer).toMatchObject({ status: 200, body: { id: tokens.user.id, email: tokens.user.email } });
    });
  });

  it.each([
    ["a token of 8193 bytes", 8193],
    ["a token of 15,000 bytes", 15_000],
  ])("refuses %s", async (_title, bytes) => {
    const token = changed({ claims: { padding: "x".repeat(bytes) } }).slice(0, bytes);
    await expectRefusedUnasked(() => me(service.url, token), 401, "token_invalid");
  });

  it("refuses a rightly signed token that is too long", async () => {
    const token = changed({ claims: { padding: "x".repeat(6000) } });
    expect(token.length).toBeGreaterThan(8192);
    await expectRefusedUnasked(() => me(service.url, token), 401, "token_invalid");
    expect((await me(service.url, changed({ claims: { padding: "x".repeat(5000) } }))).status).toBe(200);
  });

  it("leaves headers of more than 16 KiB to Node", async () => {
    const commands = await commandsDuring(async () => {
      const answer = await rawGet(`Authorization: Bearer ${tokens.access_token}${"A".repeat(17_000)}`);
      expect(answer.status).toBe(431);
    });
    expect(commands).toEqual([]);
  });

  it.each([
    ["é in UTF-8", () => `Authorization: Bearer ${tokens.access_token}\xc3\xa9`],
    ["é in Latin-1", () => `Authorization: Bearer ${tokens.access_token}\xe9`],
    ["a no-break space in front of the token", () => `Authorization: Bearer \xa0${tokens.access_token}`],
  ])("refuses %s", async (_title, field) => {
    await expectRefusedUnasked(() => rawGet(field()), 401, "token_invalid");
  });

  it.each([
    ["NUL", () => `Authorization: Bearer ${tokens.access_token}\0`],
    ["DEL", () => `Authorization: Bearer ${tokens.access_token}\x7f`],
    ["a folded line", () => `Authorization: Bearer\r\n ${tokens.access_token}`],
    ["a space before the colon", () => `Authorization : Bearer ${tokens.access_token}`],
    ["a carriage return alone", () => `Authorization: Bearer ${tokens.access_token}\rX: y`],
    ["a line feed alone", () => `Authorization: Bearer ${tokens.access_token}\nX: y`],
  ])("answers 400 to %s", async (_title, field) => {
    const commands = await commandsDuring(async () => {
      const answer = await rawGet(field());
      expect(answer.status).toBe(400);
      expect(JSON.stringify(answer.body ?? "")).not.toContain(tokens.user.id);
    });
    expect(commands).toEqual([]);
  });
});

describe("a token elsewhere", () => {
  it.each(["access_token", "token", "token[]", "Authorization", "jwt"])(
    "is not read from the URL as %s, nor logged",
    async (name) => {
      const path = `/api/users/me?${new URLSearchParams({ [name]: tokens.access_token }).toString()}`;
      await expectRefusedUnasked(() => call(service.url, "GET", path), 401, "token_missing");
      const logout = path.replace("/users/me", "/auth/logout");
      await expectRefusedUnasked(() => call(service.url, "POST", logout), 401, "token_missing");
      expect((await me(service.url, tokens.access_token)).status).toBe(200);
      expect(service.log.join("\n")).not.toContain(tokens.access_token.split(".")[2]);
    },
  );

  it("is not read from the path either", async () => {
    const answer = await call(service.url, "GET", `/api/auth/verify/${tokens.access_token}`);
    expectRefusal(answer, 401, "token_missing");
  });

  it.each(["/api/auth/verify", "/api/auth/password"])("is not read from a JSON body by %s", async (path) => {
    const body = { access_token: tokens.access_token, token: tokens.access_token };
    await expectRefusedUnasked(() => call(service.url, "POST", path, { body }), 401, "token_missing");
  });

  it("is not read from a form", async () => {
    const post = (path: string) =>
      sendRaw([
        `POST ${path} HTTP/1.1`,
        "Host: localhost",
        "Connection: close",
        "Content-Type: application/x-www-form-urlencoded",
        `Content-Length: ${tokens.access_token.length + 13}\r\n\r\naccess_token=${tokens.access_token}`,
      ]);
    expectRefusal(await post("/api/auth/verify"), 401, "token_missing");
    expectRefusal(await post("/api/auth/logout"), 415, "unsupported_media_type");
  });

  it("is an unknown key in the body of a logout", async () => {
    const body = { access_token: tokens.access_token };
    const request = () => call(service.url, "POST", "/api/auth/logout", { body });
    const answer = await expectRefusedUnasked(request, 400, "invalid_request");
    expect(answer.body).toMatchObject({ details: [{ path: "access_token" }] });
  });

  it.each([
    "CURFEW_ACCESS=%",
    "Curfew_Access=%",
    "curfew_access%=",
    "xcurfew_access=%",
    "curfew_access.=%",
    "\xa0curfew_access=%",
    "\xc2\xa0curfew_access=%",
    "__Host-curfew_access=%",
    "__HOST-curfew_access=%",
    "\xa0__Host-curfew_access=%",
    '$Version=1; $Path="/"; curfew_accesss=%',
    "token=%",
    "Authorization=Bearer %",
  ])("is not read from the cookie %j", async (cookie) => {
    const field = `Cookie: ${cookie.replace("%", tokens.access_token)}`;
    await expectRefusedUnasked(() => rawGet(field), 401, "token_missing");
  });
});

describe("the cookie", () => {
  const withCookies = (...cookies: string[]) => rawGet(...cookies.map((cookie) => `Cookie: ${cookie}`));
  const cookie = (value: string) => `curfew_access=${value}`;
  const good = () => cookie(tokens.access_token);

  it.each([
    ["alone", () => good()],
    ["among others", () => `theme=dark; ${good()}; lang=en`],
    ["after $Version", () => `$Version=1; ${good()}`],
    ["without spaces", () => `a=1;${good()};b=2`],
  ])("carries the token %s", async (_title, cookies) => {
    expect(await withCookies(cookies())).toMatchObject({ status: 200, body: { id: tokens.user.id } });
  });

  it.each([
    ["forged and good", () => [`${cookie(forged())}; ${good()}`]],
    ["good and forged", () => [`${good()}; ${cookie(forged())}`]],
    ["good and good", () => [`${good()}; ${good()}`]],
    ["empty and good", () => [`${cookie("")}; ${good()}`]],
    ["one in each of two lines", () => [good(), cookie(forged())]],
  ])("is refused when there are two of it: %s", async (_title, cookies) => {
    const request = () => withCookies(...cookies());
    const answer = await expectRefusedUnasked(request, 400, "invalid_request");
    expect(answer.body).toMatchObject({ details: [{ path: "curfew_access" }] });
  });

  it.each([
    ["JSON, as cookie-parser reads it", () => 'j:{"a":1}'],
    ["a signed cookie, as cookie-parser reads it", () => `s:${tokens.access_token}`],
    ["a broken escape", () => "%ZZ"],
    ["an escaped token", () => tokens.access_token.replaceAll(".", "%2E")],
    ["a token in quotes", () => `"${tokens.access_token}"`],
    ["a token and a comma", () => `${tokens.access_token},x`],
    ["a token and an equals sign", () => `${tokens.access_token}=`],
    ["bytes that aren't ASCII", () => `${tokens.access_token}\xe9`],
    ["an object's name", () => "[object Object]"],
    ["a forged token", forged],
  ])("is a string, and refused when it is %s", async (_title, value) => {
    await expectRefusedUnasked(() => withCookies(cookie(value())), 401, "token_invalid");
  });

  it("is no token when it is empty", async () => {
    await expectRefusedUnasked(() => withCookies(cookie("")), 401, "token_missing");
    await expectRefusedUnasked(() => withCookies("curfew_access"), 401, "token_missing");
  });
});

describe("a token that isn't genuine", () => {
  const attacker = generateKeyPairSync("rsa", { modulusLength: 2048 });

  const kids: [title: string, kid: unknown, secret?: string][] = [
    ["missing", undefined],
    ["unknown", "2024-01"],
    ["empty", ""],
    ["../../../../dev/null, signed with nothing", "../../../../dev/null", ""],
    ["/dev/null, signed with nothing", "/dev/null", ""],
    ["an SQL injection that would make the secret 1", "x' UNION SELECT '1';--", "1"],
    ["a shell injection", "|sleep 10"],
    ["__proto__", "__proto__"],
    ["constructor", "constructor"],
    ["NUL", "\0"],
    ["line breaks and an escape", '\r\n{"level":60}\r\n\u001b[2J\u2028'],
    ["4 KB", "k".repeat(4000)],
    ["10 KB", "k".repeat(10_000)],
    ["a number", 0],
    ["null", null],
    ["an array", ["2024-01"]],
    ["an object", { kid: "2024-01" }],
  ];
  it.each(kids)("is refused when its kid is %s", async (_title, kid, secret = SECRET) => {
    const lines = service.log.length;
    const token = vary(tokens.access_token, secret, { header: { kid } });
    await expectRefusedUnasked(() => me(service.url, token), 401, "token_invalid");
    expect((await me(service.url, tokens.access_token)).status).toBe(200);
    if (typeof kid !== "string" || kid === "") return;
    for (const line of service.log.slice(lines)) expect(line).not.toContain(kid);
  });

  describe("a token that names a key elsewhere", () => {
    let connections = 0;
    const listener = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    beforeAll(() => once(listener.listen(0, "127.0.0.1"), "listening"));
    afterAll(() => once(listener.close(), "close"));

    it("makes Curfew fetch nothing", async () => {
      const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/keys`;
      const jwk = attacker.publicKey.export({ format: "jwk" });
      const signer = keySigner(attacker.privateKey);
      const urls = [{ jku: url }, { x5u: url }, { jku: url, jwk }, { jku: url, kid: url }, { iss: url }];
      for (const header of urls) {
        await expectRefusedUnasked(() => me(service.url, changed({ header })), 401, "token_invalid");
        const own = vary(tokens.access_token, signer, { header: { alg: "RS256", ...header } });
        await expectRefusedUnasked(() => me(service.url, own), 401, "token_invalid");
      }
      const foreign = vary(tokens.access_token, signer, {
        header: { alg: "RS256", kid: "1" },
        claims: { iss: url },
      });
      await expectRefusedUnasked(() => me(service.url, foreign), 401, "token_invalid");
      expect((await me(service.url, tokens.access_token)).status).toBe(200);
      expect(connections).toBe(0);
    });
  });

  it("gets the same answer whatever is wrong with it, and nothing is asked of Redis", async () => {
    const revoked = await login(service.url, tokens.user.email);
    expect((await logout(service.url, revoked.access_token)).status).toBe(200);
    expectRefusal(await me(service.url, revoked.access_token), 401, "token_revoked");

    const wrong = `${SECRET}x`;
    const now = Math.floor(Date.now() / 1000);
    const batch: [string, () => string][] = [
      ["one word", () => "x"],
      ["two parts", () => tokens.access_token.split(".").slice(0, 2).join(".")],
      ["five parts", () => `${tokens.access_token}.x.y`],
      ["alg none", () => vary(tokens.access_token, () => "", { header: { alg: "none" } })],
      ["HS512", () => vary(tokens.access_token, hmacSigner(SECRET, "sha512"), { header: { alg: "HS512" } })],
      ["an empty secret", () => vary(tokens.access_token, "", {})],
      ["an unknown kid", () => changed({ header: { kid: "x" } })],
      ["crit", () => changed({ header: { crit: ["exp"] } })],
      ["an array for a header", () => forge([], decodePart(tokens.access_token, 1), SECRET)],
      ["an array for a payload", () => forge(decodePart(tokens.access_token, 0), [], SECRET)],
      ["forged", forged],
      [
        "forged and expired",
        () => vary(tokens.access_token, wrong, { claims: { iat: now - 900, exp: now - 1 } }),
      ],
      ["forged and for another aud", () => vary(tokens.access_token, wrong, { claims: { aud: "other" } })],
      ["forged and of another iss", () => vary(tokens.access_token, wrong, { claims: { iss: "other" } })],
      ["forged and revoked", () => vary(revoked.access_token, wrong, {})],
      ["revoked and broken", () => revoked.access_token.slice(0, -2)],
      [
        "forged, and a jti that looks like a key",
        () => vary(tokens.access_token, wrong, { claims: { jti: "*" } }),
      ],
      ["a refresh token", () => tokens.refresh_token],
    ];
    const answers: { title: string; answer: unknown }[] = [];
    const commands = await commandsDuring(async () => {
      for (const [title, token] of batch) {
        const answer = await me(service.url, token());
        expectRefusal(answer, 401, "token_invalid");
        answers.push({ title, answer: comparable(answer) });
      }
    });
    expect(commands).toEqual([]);
    for (const { title, answer } of answers)
      expect({ title, answer }).toEqual({ title, answer: answers[0]?.answer });

    const genuine = await commandsDuring(() => me(service.url, tokens.access_token));
    expect(genuine).toEqual(expect.arrayContaining(["exists", "get"]));
  });

  it.each<[string, () => string, string]>([
    ["expired", () => changed({ claims: { iat: 1_700_000_000, exp: 1_700_000_900 } }), "token_expired"],
    ["without exp", () => changed({ claims: { exp: undefined } }), "token_invalid"],
    [
      "for ten years",
      () => changed({ claims: { exp: Math.floor(Date.now() / 1000) + 315_360_000 } }),
      "token_invalid",
    ],
    ["of another iss", () => changed({ claims: { iss: "curfew/" } }), "token_invalid"],
    ["for another aud", () => changed({ claims: { aud: ["other"] } }), "token_invalid"],
    ["with an array for a jti", () => changed({ claims: { jti: ["j1"] } }), "token_invalid"],
    [
      "with a jti that reaches for other keys",
      () => changed({ claims: { jti: "\r\nFLUSHALL\r\n" } }),
      "token_invalid",
    ],
    ["with a sid that reaches for other keys", () => changed({ claims: { sid: "*" } }), "token_invalid"],
    ["without a sub", () => changed({ claims: { sub: undefined } }), "token_invalid"],
  ])("costs Redis nothing when it is rightly signed but %s", async (_title, token, code) => {
    await expectRefusedUnasked(() => me(service.url, token()), 401, code);
  });
});

describe("another kind of token", () => {
  it.each([undefined, "JWT", "AT+JWT", "application/at+jwt", "rt+jwt", "logout+jwt", "dpop+jwt", "id_token"])(
    "is no access token with typ %s",
    async (typ) => {
      const token = changed({ header: { typ } });
      await expectRefusedUnasked(() => me(service.url, token), 401, "token_invalid");
    },
  );

  it("is no access token when it is a refresh token, whole or dressed up", async () => {
    const [payload = "", mac = ""] = tokens.refresh_token.split(".");
    const header = encode(decodePart(tokens.access_token, 0));
    for (const token of [tokens.refresh_token, `${header}.${payload}.${mac}`]) {
      await expectRefusedUnasked(() => me(service.url, token), 401, "token_invalid");
    }
  });

  it("is no refresh token when it is an access token, and changes nothing", async () => {
    const commands = await commandsDuring(async () => {
      expectRefusal(await refresh(service.url, tokens.access_token), 401, "refresh_token_invalid");
      expectRefusal(
        await refresh(service.url, changed({ header: { typ: "rt+jwt" } })),
        401,
        "refresh_token_invalid",
      );
    });
    expect(commands).toEqual([]);
    const answer = await refresh(service.url, tokens.refresh_token);
    expect(answer.status).toBe(200);
  });
});

describe("with an ES256 key", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "curfew-key-"));
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(join(dir, "key.pem"), pem, { mode: 0o600 });
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
  });
  const es256 = useService(() => ({
    REDIS_URL: redis.url,
    JWT_SECRET: "",
    JWT_PRIVATE_KEY_FILE: join(dir, "key.pem"),
  }));

  it.each([
    ["the token, and refuses its other form", (token: string) => [token, malleate(token)] as const],
    ["the other form, and refuses the token", (token: string) => [malleate(token), token] as const],
  ])("logs out %s", async (_title, forms) => {
    const own = await register(es256.url);
    expect(decodePart(own.access_token, 0)["alg"]).toBe("ES256");
    const [presented, other] = forms(own.access_token);
    expect(presented).not.toBe(other);
    for (const token of [presented, other]) expect((await me(es256.url, token)).status).toBe(200);
    expect((await logout(es256.url, presented)).status).toBe(200);
    for (const token of [presented, other]) expectRefusal(await me(es256.url, token), 401, "token_revoked");
    const next = await login(es256.url, own.user.email);
    expect((await me(es256.url, next.access_token)).status).toBe(200);
  });

  it("refuses HS256 with its public key", async () => {
    const { access_token: token } = await register(es256.url);
    const publicKey = createPublicKey(privateKey);
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const jwk = publicKey.export({ format: "jwk" });
    const secrets = [
      ...[pem, pem.trimEnd(), ` ${pem}`, publicKey.export({ type: "spki", format: "der" })],
      ...[JSON.stringify(jwk), JSON.stringify({ keys: [jwk] }), jwk.x ?? ""],
    ];
    for (const secret of secrets) {
      const confused = vary(token, secret, { header: { alg: "HS256" } });
      await expectRefusedUnasked(() => me(es256.url, confused), 401, "token_invalid");
    }
    expect((await me(es256.url, token)).status).toBe(200);
  });

  it("refuses a genuine token of a service with another key", async () => {
    await expectRefusedUnasked(() => me(es256.url, tokens.access_token), 401, "token_invalid");
  });
});
