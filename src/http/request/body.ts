import type { IncomingMessage, ServerResponse } from "node:http";
import { json, urlencoded, type Request, type RequestHandler, type Response } from "express";
import type { z } from "zod";
import { CurfewError, type Problem } from "../../errors";
import { isObject } from "../../tokens/json";
import { step } from "./step";

const MAX_BYTES = 16 * 1024;

/** Whether a request announces a body that is too large. A chunked request announces no length. */
export const isAnnouncedTooLarge = ({ headers }: Pick<IncomingMessage, "headers">): boolean =>
  Number(headers["content-length"] ?? 0) > MAX_BYTES;

const LINGER_MS = 2000;

/**
 * Ends the connection with this answer, although the client may still be sending, to nobody. What it sends is read for a
 * moment and thrown away, another request too: if the connection ended at once, it would be reset, and the answer would
 * often be lost.
 */
export function endWith(res: ServerResponse): void {
  res.setHeader("Connection", "close");
  const { socket } = res.req;
  socket.destroySoon = () => {
    // Node's parser listened for requests.
    socket.removeAllListeners("data").on("data", () => undefined);
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

function refuseTooLarge(res: Response): CurfewError {
  endWith(res);
  return new CurfewError("body_too_large");
}

const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";
type MediaType = typeof JSON_TYPE | typeof FORM_TYPE;

const refuseType = (wanted: MediaType) =>
  new CurfewError("unsupported_media_type", {
    message: `The request body must be ${wanted}, in UTF-8.`,
  });

/**
 * Makes a parser answer as soon as the body is too large. Express's parsers wait for the whole body first. And what
 * they say of another encoding doesn't name the one that is wanted.
 */
function atOnce(parse: RequestHandler, wanted: MediaType): RequestHandler {
  return (req, res, next) => {
    let [receivedBytes, isDone] = [0, false];
    function done(error?: unknown): void {
      if (isDone) return;
      isDone = true;
      req.off("data", count);
      next(isOfEncoding(error) ? refuseType(wanted) : error);
    }
    function count(chunk: Buffer): void {
      receivedBytes += chunk.length;
      if (receivedBytes > MAX_BYTES) done(refuseTooLarge(res));
    }
    parse(req, res, done);
    if (!isDone) req.on("data", count);
  };
}

const ENCODING_ERRORS = ["encoding.unsupported", "charset.unsupported"];
const isOfEncoding = (error: unknown) =>
  isObject(error) && ENCODING_ERRORS.some((type) => error["type"] === type);

const parseJson = atOnce(
  json({
    limit: MAX_BYTES,
    strict: false,
    type: () => true,
    verify: (req, _res, body) => {
      if (body.length > 0 && !isJson(req.headers["content-type"])) throw refuseType(JSON_TYPE);
    },
  }),
  JSON_TYPE,
);

/** Parses a JSON body, if there is one. The media types that a browser's form can send are refused. */
export const readJson = step(
  ["invalid_json", "body_too_large", "unsupported_media_type"],
  (req, res, next) => {
    if (isAnnouncedTooLarge(req)) throw refuseTooLarge(res);
    if (!req.readableEnded) {
      parseJson(req, res, next);
      return;
    }
    assertReadAsJson(req);
    next();
  },
);

/** The app in which the routes are mounted may have parsed the body before, less strictly. */
function assertReadAsJson(req: Request): void {
  const body: unknown = req.body;
  const length = req.get("Content-Length") ?? (req.headers["transfer-encoding"] ? Infinity : 0);
  if (body === undefined && Number(length) > 0) {
    throw new TypeError(
      "The request's body was read before it reached Curfew's routes, but req.body is undefined. Mount the routes before whatever reads the body, or let it set req.body.",
    );
  }
  const isEmpty = body === undefined || (isObject(body) && Object.keys(body).length === 0);
  if (isEmpty) return;
  if (!isJson(req.get("Content-Type"))) throw refuseType(JSON_TYPE);
}

/**
 * Like readJson, but requires a body: an empty one with a form's media type is refused too, before it counts as a try.
 */
export const requireJson = step(readJson.errors, (req, res, next) => {
  if (isAnnouncedTooLarge(req)) throw refuseTooLarge(res);
  if (!isJson(req.get("Content-Type"))) throw refuseType(JSON_TYPE);
  readJson(req, res, next);
});

const parseForm = atOnce(urlencoded({ limit: MAX_BYTES, extended: false, type: () => true }), FORM_TYPE);

/** Parses a form, if the body is one: clients may send their credentials in it. */
export const readForm = step(["body_too_large"], (req, res, next) => {
  if (isAnnouncedTooLarge(req)) throw refuseTooLarge(res);
  // A request without a body is a form without fields.
  req.body = {};
  if (isForm(req.get("Content-Type"))) parseForm(req, res, next);
  else next();
});

/** Behind readForm, refuses every other body. */
export const requireForm = step(["unsupported_media_type"], (req, _res, next) => {
  if (!isForm(req.get("Content-Type"))) throw refuseType(FORM_TYPE);
  next();
});

/** Parses the body, or throws `invalid_request` with everything that is wrong. JSON's null counts as no body. */
export function readBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? undefined);
  if (result.success) return result.data;
  throw new CurfewError("invalid_request", { details: result.error.issues.flatMap(problemsOf) });
}

export function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: path === "" ? key : `${path}.${key}`,
      message: "is not known here",
    }));
  }
  if (issue.code === "invalid_type") return [{ path, message: `must be a JSON ${issue.expected}` }];
  if (issue.code === "invalid_value") return [{ path, message: `must be ${issue.values.join(" or ")}` }];
  return [{ path, message: issue.message }];
}

const CHARSET = String.raw`\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$`;
const JSON_IN_UTF8 = new RegExp(`^${JSON_TYPE}${CHARSET}`, "i");
const FORM_IN_UTF8 = new RegExp(`^${FORM_TYPE}${CHARSET}`, "i");

/** JSON is UTF-8 (RFC 8259 §8.1), but the parser would accept UTF-16 and others too. */
const isJson = (type = "") => JSON_IN_UTF8.test(type);
const isForm = (type = "") => FORM_IN_UTF8.test(type);
