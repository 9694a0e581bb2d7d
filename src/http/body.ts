import { json, type Request, type RequestHandler } from "express";
import type { z } from "zod";
import { CurfewError, type Problem } from "../errors";
import { step } from "./step";

const MAX_BYTES = 16 * 1024;

const parseJson: RequestHandler = json({ limit: MAX_BYTES, strict: false });

/** Parses a JSON body, if there is one. What a browser's form can send is refused, not taken for an empty body. */
export const readJson = step(
  ["invalid_json", "body_too_large", "unsupported_media_type"],
  (req, res, next) => {
    if (hasBody(req) && !isJson(req)) throw new CurfewError("unsupported_media_type");
    parseJson(req, res, next);
  },
);

/** The body as the schema describes it, or `invalid_request` with everything that is wrong with it. */
export function readBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new CurfewError("invalid_request", { details: result.error.issues.flatMap(problemsOf) });
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key].join("."), message: "is not known here" }));
  }
  return [{ path: path.join("."), message: issue.message }];
}

/** JSON is UTF-8 (RFC 8259 §8.1); the parser would take UTF-16 and others too. */
function isJson(req: Request): boolean {
  const [, charset = "utf-8"] = /charset\s*=\s*"?([^\s";]+)/i.exec(req.get("Content-Type") ?? "") ?? [];
  return req.is("application/json") === "application/json" && charset.toLowerCase() === "utf-8";
}

const hasBody = (req: Request) =>
  req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
