import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { RequestHandler } from "express";
import { z } from "zod";
import { CurfewError } from "../../errors";
import type { Metrics } from "../../metrics/metrics";
import { authorizationsOf } from "../request/authorization";
import { endpoint } from "../router";

export const createMetricsEndpoint = ({ contentType, read }: Metrics) =>
  endpoint({
    summary:
      "Figures for Prometheus. Without `METRICS_TOKEN` for this machine alone; with it, for whoever sends it as `Authorization: Bearer …`",
    answers: {
      200: { description: "In Prometheus's text format", mediaType: "text/plain", schema: z.string() },
    },
    errors: ["not_found", "token_missing", "token_invalid"],
    async handle(_req, res) {
      res.set("Content-Type", contentType).send(await read());
    },
  });

/** Stands before every method of the route: for whoever may not read metrics, there are none. */
export function allowScrapes(token: string | undefined): RequestHandler {
  const isToken = token === undefined ? undefined : createComparison(token);
  return function scrapeGuard(req, _res, next) {
    if (!isToken) {
      if (!isFromHere(req)) throw new CurfewError("not_found");
    } else {
      const [header = "", ...repeated] = authorizationsOf(req);
      const given = /^bearer +(.*)$/i.exec(header)?.[1];
      if (given === undefined) throw new CurfewError("token_missing");
      if (repeated.length > 0 || !isToken(given)) throw new CurfewError("token_invalid");
    }
    next();
  };
}

/** It takes the same time whatever is given. */
function createComparison(token: string): (given: string) => boolean {
  const sha256 = (text: string) => createHash("sha256").update(text).digest();
  const expected = sha256(token);
  return (given) => timingSafeEqual(sha256(given), expected);
}

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;
const FORWARDING = /^(forwarded|via|x-real-ip|x-forwarded-.*)$/;

/** A proxy on this machine connects from loopback for the whole world, and gives itself away by these headers. */
const isFromHere = ({ socket, headers }: IncomingMessage) =>
  LOOPBACK.test(socket.remoteAddress ?? "") && !Object.keys(headers).some((name) => FORWARDING.test(name));
