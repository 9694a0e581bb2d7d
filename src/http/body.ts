import { json } from "express";
import type { z } from "zod";
import { CurfewError, type Problem } from "../errors";
import { step } from "./step";

const MAX_BYTES = 16 * 1024;

/** Parses a JSON body, if there is one. What a browser's form can send is refused, whatever it says. */
export const readJson = step(
  ["invalid_json", "body_too_large", "unsupported_media_type"],
  json({
    limit: MAX_BYTES,
    strict: false,
    type: () => true,
    verify: (req, _res, body) => {
      if (body.length > 0 && !isJson(req.headers["content-type"]))
        throw new CurfewError("unsupported_media_type");
    },
  }),
);

/** The same, where there must be a body: what a form can send is refused though it be empty, before anything counts it. */
export const requireJson = step(readJson.errors, (req, res, next) => {
  if (!isJson(req.get("Content-Type"))) throw new CurfewError("unsupported_media_type");
  readJson(req, res, next);
});

/** The body as the schema describes it, or `invalid_request` with everything that is wrong with it. */
export function readBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new CurfewError("invalid_request", { details: result.error.issues.flatMap(problemsOf) });
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
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

/** JSON is UTF-8 (RFC 8259 §8.1); the parser would take UTF-16 and others too. */
const isJson = (type = "") => /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type);
