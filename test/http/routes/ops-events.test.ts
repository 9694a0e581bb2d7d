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
function createTestStream(parts: Partial<EventStreamParts>) {
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
      req.auth = caller;
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

it("isn't begun by an instance that stops", async () => {
  const { app, did } = createTestStream({ isStopping: () => true });
  const response = await request(app).get("/");
  expect([response.status, response.body]).toMatchObject([503, { code: "stopping" }]);
  expect(did).toEqual([]);
});
