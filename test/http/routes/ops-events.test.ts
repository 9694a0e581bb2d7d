import express from "express";
import pino from "pino";
import request from "supertest";
import { CurfewError } from "../../../src/errors";
import { createErrorHandler } from "../../../src/http/answer/error-handler";
import { createEventStream, type EventStreamParts } from "../../../src/http/routes/ops-events";
import type { Claims } from "../../../src/auth/tokens";

const log = pino({ level: "silent" });
const caller = { kind: "own", subject: "ada", sub: "ada", exp: Date.now() / 1000 + 900 } as Claims;

/** A stream that nothing happens in, and what was done for it. */
function createTestStream(parts: Partial<EventStreamParts>, auth = caller) {
  const did: string[] = [];
  const place = ["-"];
  const events = {
    last: () => Promise.resolve(place),
    after: () => Promise.resolve({ events: [], next: undefined }),
  } as unknown as EventStreamParts["events"];
  const { handler } = createEventStream({
    events,
    denylist: { assertNotRevoked: () => Promise.resolve(void did.push("checked")) },
    revocations: {
      follow() {
        did.push("followed");
        return () => void did.push("left");
      },
    },
    isStopping: () => false,
    ...parts,
  });
  const app = express();
  app.get(
    "/",
    (req, _res, next) => {
      req.auth = auth;
      next();
    },
    handler,
  );
  const alarms = { raise: () => undefined } as unknown as Parameters<typeof createErrorHandler>[2];
  app.use(createErrorHandler(log, () => undefined, alarms));
  return { app, did };
}

it("refuses a token that was revoked after the guard had let it in, before anybody told us of revocations", async () => {
  const { app, did } = createTestStream({
    denylist: {
      assertNotRevoked() {
        did.push("checked");
        return Promise.reject(new CurfewError("token_revoked"));
      },
    },
  });
  const response = await request(app).get("/");
  expect([response.status, response.body]).toMatchObject([401, { code: "token_revoked" }]);
  expect(did).toEqual(["followed", "checked", "left"]);
});

it("refuses a token whose revocation is told before it begins", async () => {
  const { app, did } = createTestStream({
    revocations: {
      follow(listener) {
        listener({ kind: "user", sub: "ada", reason: "logout", at: "" });
        return () => void did.push("left");
      },
    },
  });
  const response = await request(app).get("/");
  expect([response.status, response.body]).toMatchObject([401, { code: "token_revoked" }]);
  expect(did).toEqual(["checked", "left"]);
});

it("goes on when the revocation is somebody else's", async () => {
  let isStopping = false;
  const { app, did } = createTestStream({
    revocations: {
      follow(listener) {
        listener({ kind: "user", sub: "bob", reason: "logout", at: "" });
        setImmediate(() => (isStopping = true));
        return () => void did.push("left");
      },
    },
    isStopping: () => isStopping,
  });
  expect((await request(app).get("/")).text).toContain("retry: 1000");
});

it("says now and then that it is there, also for a token that lives longer than timers can wait", async () => {
  let [asked, nowMs] = [0, 0];
  const clock = jest.spyOn(performance, "now").mockImplementation(() => nowMs);
  const events = {
    last: () => Promise.resolve(["-"]),
    after() {
      [asked, nowMs] = [asked + 1, nowMs + 8000];
      return Promise.resolve({ events: [], next: undefined });
    },
  } as unknown as EventStreamParts["events"];
  const auth = { ...caller, exp: Date.now() / 1000 + 100 * 86_400 };
  const { app } = createTestStream({ events, isStopping: () => asked === 3 }, auth);
  const { text } = await request(app).get("/");
  clock.mockRestore();
  expect(asked).toBe(3);
  expect(text).toBe("retry: 1000\n\n:\n\n");
});

it("isn't begun to answer a HEAD", async () => {
  const { app, did } = createTestStream({});
  const { status, headers } = await request(app).head("/");
  expect([status, headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
  expect(did).toEqual([]);
});

it("isn't begun by an instance that stops", async () => {
  const { app, did } = createTestStream({ isStopping: () => true });
  const response = await request(app).get("/");
  expect([response.status, response.body]).toMatchObject([503, { code: "stopping" }]);
  expect(did).toEqual([]);
});
