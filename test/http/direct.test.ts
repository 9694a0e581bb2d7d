import express, { type RequestHandler } from "express";
import request from "supertest";
import { createDirect } from "../../src/http/direct";
import { endpoint } from "../../src/http/router";
import { step } from "../../src/http/request/step";

/** An app whose router answers 418, behind one route that is answered directly. */
function createTestApp(...steps: RequestHandler[]) {
  const app = express().use((_req, res) => void res.sendStatus(418));
  const answer = endpoint({
    ...{ name: "answer", summary: "Answer", answers: {} },
    handle: (req, res) => void res.json({ baseUrl: req.baseUrl, ip: req.ip, url: req.originalUrl }),
  });
  const direct = createDirect(app, {
    bases: ["/api", "/api/v1"],
    first: [],
    route: ["all", "/verify{/*path}", ...steps.map((each) => step([], each)), answer],
    handleError: (error: Error, _req, res, next) => {
      if (error.message === "unspeakable") throw error;
      if (res.headersSent) next(error);
      else res.status(500).json({ message: error.message });
    },
  });
  return (...[req, res]: Parameters<typeof direct>) => {
    if (!direct(req, res)) (app as unknown as typeof direct)(req, res);
  };
}

describe("a route in front of Express's router", () => {
  it.each([
    "/api/verify",
    "/api/v1/verify",
    "/api/verify/some/path.txt",
    "/api/verify?a=b",
    "/api/verify/a?%",
  ])("answers %s, with what Express would tell of the request", async (path) => {
    const { status, body } = (await request(createTestApp()).get(path)) as { status: number; body: unknown };
    expect(status).toBe(200);
    const baseUrl = path.startsWith("/api/v1") ? "/api/v1" : "/api";
    expect(body).toEqual({ baseUrl, ip: expect.stringContaining("127.0.0.1") as string, url: path });
  });

  it.each([
    "/API/verify",
    "/api/verify2",
    "/api/verify/%2e",
    "/api/verify//a",
    "/api/verifyx",
    "/x/api/verify",
    "/",
  ])("leaves %s to Express", async (path) => {
    expect((await request(createTestApp()).get(path)).status).toBe(418);
  });

  it.each<[string, RequestHandler]>([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    [
      "passes on an error",
      (_req, _res, next) => {
        next(new Error("no"));
      },
    ],
  ])("refuses what a step refuses that %s, and runs nothing after it", async (_title, refuse) => {
    const ran: string[] = [];
    const app = createTestApp(refuse, (_req, _res, next) => {
      ran.push("next");
      next();
    });
    const { status, body } = (await request(app).get("/api/verify")) as { status: number; body: unknown };
    expect([status, body]).toEqual([500, { message: "no" }]);
    expect(ran).toEqual([]);
  });

  it("ends the connection if something fails once the answer has begun", async () => {
    const app = createTestApp((_req, res) => {
      res.writeHead(200).write("half");
      throw new Error("no");
    });
    await expect(request(app).get("/api/verify")).rejects.toThrow(/aborted|hang up/);
  });

  it.each<[string, RequestHandler]>([
    [
      "thrown",
      () => {
        throw new Error("unspeakable");
      },
    ],
    ["rejected", () => Promise.reject(new Error("unspeakable"))],
  ])("ends only the connection if the refusal of what was %s fails itself", async (_title, refuse) => {
    await expect(request(createTestApp(refuse)).get("/api/verify")).rejects.toThrow(/aborted|hang up/);
  });
});
