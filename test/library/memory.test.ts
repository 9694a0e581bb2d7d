import { randomUUID } from "node:crypto";
import express from "express";
import request from "supertest";
import { createCurfew, type Curfew } from "../../src/index";
import { eventually, PASSWORD, type Tokens } from "../helpers/client";
import { SECRET } from "../helpers/service";

const keys = { secret: SECRET };
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const opened: Curfew[] = [];
const open = (prefix?: string) => {
  const curfew = createCurfew({ redis: "memory://", keys, prefix, log });
  opened.push(curfew);
  return curfew;
};
afterAll(() => Promise.all(opened.map((curfew) => curfew.close())));

const appOf = (curfew: Curfew) =>
  express()
    .use("/auth", curfew.routes())
    .get("/mine", curfew.requireToken(), (_req, res) => void res.json({}));

it("needs no Redis: logs in, guards and logs out, in all instances of a process", async () => {
  const [one, other] = [open(), open()];
  const told: unknown[] = [];
  other.onRevoked((revocation) => told.push(revocation.kind));
  const credentials = { email: `${randomUUID()}@example.com`, password: PASSWORD };
  const signedUp = await request(appOf(one)).post("/auth/register").send(credentials);
  expect(signedUp.status).toBe(201);
  const { access_token: token } = signedUp.body as Tokens;
  const mine = async () => {
    const answer = await request(appOf(other)).get("/mine").auth(token, { type: "bearer" });
    return answer.status;
  };
  expect(await mine()).toBe(200);
  expect((await request(appOf(one)).post("/auth/logout").auth(token, { type: "bearer" })).status).toBe(200);
  expect(await mine()).toBe(401);
  await eventually(() => Promise.resolve(told.length === 1));
  expect(told).toEqual(["session"]);
});

it("begins empty with another prefix", async () => {
  const credentials = { email: `${randomUUID()}@example.com`, password: PASSWORD };
  const register = async (curfew: Curfew) =>
    (await request(appOf(curfew)).post("/auth/register").send(credentials)).status;
  const one = open();
  expect([await register(one), await register(one), await register(open("test:2:"))]).toEqual([
    201, 409, 201,
  ]);
});

it("is refused in production, with what it can't do, and by its exact name only", () => {
  const create = (options: object) => () => createCurfew({ redis: "memory://", keys, ...options });
  expect(create({ mode: "mirror" })).toThrow(/mode: there is no round trip to save with memory:\/\//);
  expect(create({ redis: "memory://x" })).toThrow(/redis: /);
  const before = process.env["NODE_ENV"];
  process.env["NODE_ENV"] = "production";
  try {
    expect(create({})).toThrow(/redis: memory:\/\/ forgets everything, write your client of ioredis 5/);
  } finally {
    process.env["NODE_ENV"] = before;
  }
});
