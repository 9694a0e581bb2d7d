import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  call,
  eventually,
  expectRefusal,
  logout,
  me,
  PASSWORD,
  register,
  untilReady,
} from "../helpers/client";
import { answersIn, get, HAS_BEGUN, openConnection, postLater, type Connection } from "../helpers/connection";
import { decodePart } from "../helpers/jws";
import { useRedis } from "../helpers/redis";
import { startService, type TestService } from "../helpers/service";

/** How one instance stops. */
const redis = useRedis();
let body: string;
let token: string;
beforeAll(async () => {
  const service = await start({});
  const { user, access_token } = await register(service.url);
  [token, body] = [access_token, JSON.stringify({ email: user.email, password: PASSWORD })];
  await service.stop();
});

const start = (env: NodeJS.ProcessEnv) => startService({ REDIS_URL: redis.url, ...env });

/** Sends a signal; the promise tells how the process ended, and after how long. */
function signal(service: TestService, name: NodeJS.Signals): Promise<{ code: unknown; ms: number }> {
  const sentAt = performance.now();
  const exit = once(service.process, "exit");
  service.process.kill(name);
  return exit.then(([code]) => ({ code: code as unknown, ms: performance.now() - sentAt }));
}

const isStopping = (service: TestService) => () =>
  Promise.resolve(service.log.some((line) => line.includes('"msg":"stopping"')));

async function beginLogin(service: TestService): Promise<Connection> {
  const connection = await openConnection(service.url);
  connection.write(postLater("/api/auth/login", body));
  await connection.until(HAS_BEGUN);
  return connection;
}

const untilRefused = (service: TestService) =>
  eventually(() =>
    openConnection(service.url).then(
      (connection) => {
        connection.destroy();
        return false;
      },
      () => true,
    ),
  );

describe("on SIGTERM", () => {
  it("says first that it isn't ready, and answers everybody else, saying that each connection ends", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "20000" });
    await untilReady(service.url);
    const used = await openConnection(service.url);
    used.write(get("/api/users/me", token));
    expect(answersIn(await used.until(/created_at/))).toEqual([{ status: 200, closes: false }]);

    const exit = signal(service, "SIGTERM");
    await eventually(isStopping(service));
    // Whoever went by /readyz hasn't heard yet: the door is open.
    used.write(get("/api/users/me", token));
    expect(answersIn(await used.untilEnd())).toEqual([
      { status: 200, closes: false },
      { status: 200, closes: true },
    ]);
    const fresh = await openConnection(service.url);
    fresh.write(get("/api/auth/verify", token));
    expect(answersIn(await fresh.untilEnd())).toEqual([{ status: 204, closes: true }]);

    const readyz = await call(service.url, "GET", "/readyz");
    expectRefusal(readyz, 503, "stopping");
    expect(readyz.headers.get("connection")).toBe("close");
    expect((await call(service.url, "GET", "/healthz")).status).toBe(200);
    expect((await me(service.url, token)).status).toBe(200);

    const { code, ms } = await exit;
    expect(code).toBe(0);
    // It went as soon as nobody asked any more, not at half of its grace.
    expect(ms).toBeLessThan(8000);
    await untilRefused(service);
  });

  it("waits for /readyz to be asked, if it was before: what comes meanwhile is answered", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "2000" });
    await untilReady(service.url);
    const { code, ms } = await signal(service, "SIGTERM");
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(900);
    expect(ms).toBeLessThan(2000);
  });

  it("closes the door at half of its grace, though requests go on, and resets none before", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "3000" });
    const exit = signal(service, "SIGTERM");
    await eventually(isStopping(service));
    let answers = 0;
    await eventually(async () => {
      const connection = await openConnection(service.url).catch(() => undefined);
      if (!connection) return true;
      connection.write(get("/api/auth/verify", token));
      const [answer] = answersIn(await connection.untilEnd().catch(() => ""));
      if (answer) answers += 1;
      // Only the one that meets the closing door may go without.
      return !answer;
    });
    const { code, ms } = await exit;
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(1450);
    expect(ms).toBeLessThan(3000);
    expect(answers).toBeGreaterThan(20);
  });

  it("finishes what is in flight, before and after it closed the door: a 200 that says the connection ends", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "20000" });
    const [early, late, idle] = [
      await beginLogin(service),
      await beginLogin(service),
      await openConnection(service.url),
    ];
    idle.write(get("/healthz"));
    await idle.until(/"ok"/);
    const exit = signal(service, "SIGTERM");
    await eventually(isStopping(service));
    early.write(body);
    expect(answersIn(await early.untilEnd())).toEqual([{ status: 200, closes: true }]);
    await untilRefused(service);
    // In order, and without a word that nobody asked for.
    expect(answersIn(await idle.untilEnd())).toEqual([{ status: 200, closes: false }]);
    late.write(body);
    expect(answersIn(await late.untilEnd())).toEqual([{ status: 200, closes: true }]);
    expect(await exit).toMatchObject({ code: 0 });
  });

  it("tells Redis of the uses of a revoked token that it had only counted", async () => {
    const service = await start({});
    const { access_token } = await register(service.url);
    await logout(service.url, access_token);
    const uses = `curfew:uses:jti:${String(decodePart(access_token, 1)["jti"])}`;
    const isTold = async () => (await redis.admin.hget(uses, "uses")) === "1";
    await me(service.url, access_token);
    await eventually(isTold);
    for (let at = 0; at < 2; at += 1) await me(service.url, access_token);
    expect(await isTold()).toBe(true);
    expect((await signal(service, "SIGINT")).code).toBe(0);
    expect(await redis.admin.hget(uses, "uses")).toBe("3");
  });

  it("answers every one of several requests that were sent in a row, whenever they came", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "20000", REDIS_TIMEOUT_MS: "10000" });
    const connection = await openConnection(service.url);
    const untilTaken = () => call(service.url, "GET", "/healthz");
    process.kill(redis.pid, "SIGSTOP");
    try {
      connection.write(get("/api/auth/verify", token), get("/api/auth/verify", token));
      await untilTaken();
      const exit = signal(service, "SIGTERM");
      await eventually(isStopping(service));
      connection.write(get("/api/auth/verify", token));
      await untilTaken();
      process.kill(redis.pid, "SIGCONT");
      expect(answersIn(await connection.untilEnd())).toEqual([
        { status: 204, closes: false },
        { status: 204, closes: false },
        { status: 204, closes: true },
      ]);
      expect(await exit).toMatchObject({ code: 0 });
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
  });
});

describe("whatever hangs, it is gone within its grace, with exit code 0", () => {
  it("a request that never ends", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "4000" });
    const [half, silent] = [await beginLogin(service), await openConnection(service.url)];
    half.write(body.slice(0, 10));
    const { code, ms } = await signal(service, "SIGTERM");
    expect(code).toBe(0);
    expect(ms).toBeLessThan(4000);
    // They had their time.
    expect(ms).toBeGreaterThan(3500);
    for (const connection of [half, silent]) connection.destroy();
  });

  it("a Redis that is hung, and with it who waits for it", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "4000", REDIS_TIMEOUT_MS: "60000" });
    const connection = await openConnection(service.url);
    process.kill(redis.pid, "SIGSTOP");
    try {
      connection.write(get("/api/users/me", token));
      const { code, ms } = await signal(service, "SIGTERM");
      expect(code).toBe(0);
      expect(ms).toBeLessThan(4000);
    } finally {
      process.kill(redis.pid, "SIGCONT");
      connection.destroy();
    }
  });

  it("a redis-server of its own that doesn't end", async () => {
    const dir = mkdtempSync(join(tmpdir(), "curfew-shutdown-"));
    const service = await startService({ SHUTDOWN_GRACE_MS: "4000" }, dir);
    const pid = Number(readFileSync(join(dir, ".data/redis/redis.pid"), "utf8"));
    process.kill(pid, "SIGSTOP");
    try {
      const { code, ms } = await signal(service, "SIGTERM");
      expect(code).toBe(0);
      expect(ms).toBeLessThan(4000);
    } finally {
      process.kill(pid, "SIGKILL");
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("it doesn't wait", () => {
  it("when a second signal comes: it ends at once, and not as if all had gone well", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "60000" });
    const connection = await beginLogin(service);
    void signal(service, "SIGTERM");
    await eventually(isStopping(service));
    const { code, ms } = await signal(service, "SIGTERM");
    expect(code).toBe(1);
    expect(ms).toBeLessThan(5000);
    connection.destroy();
  });

  it("for anybody to notice on SIGINT; what is in flight still finishes", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "60000" });
    await untilReady(service.url);
    const [login, unused] = [await beginLogin(service), await openConnection(service.url)];
    const exit = signal(service, "SIGINT");
    await untilRefused(service);
    await unused.untilEnd();
    login.write(body);
    expect(answersIn(await login.untilEnd())).toEqual([{ status: 200, closes: true }]);
    const { code, ms } = await exit;
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
  });

  it("for anything with SHUTDOWN_GRACE_MS=0", async () => {
    const service = await start({ SHUTDOWN_GRACE_MS: "0" });
    await untilReady(service.url);
    const connection = await beginLogin(service);
    const { code, ms } = await signal(service, "SIGTERM");
    expect(code).toBe(0);
    expect(ms).toBeLessThan(5000);
    connection.destroy();
  });
});
