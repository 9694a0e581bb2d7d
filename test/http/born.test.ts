import { createServer, IncomingMessage, ServerResponse } from "node:http";
import express from "express";
import request from "supertest";
import { createClasses } from "../../src/http/born";

it("gives requests and answers the prototypes that Express would give them, so that it changes nothing", async () => {
  const app = express().get("/x", (req, res) => void res.json({ ip: req.ip, app: req.app === app }));
  const classes = createClasses(app);
  const seen: unknown[] = [];
  const server = createServer(classes, (req, res) => {
    seen.push(req instanceof IncomingMessage, res instanceof ServerResponse);
    seen.push(Object.getPrototypeOf(req) === app.request, Object.getPrototypeOf(res) === app.response);
    app(req, res);
  });
  const { body } = (await request(server).get("/x")) as { body: unknown };
  expect(body).toEqual({ ip: expect.stringContaining("127.0.0.1") as string, app: true });
  expect(seen).toEqual([true, true, true, true]);
});
