import type { z } from "zod";
import { CurfewError, type Problem } from "../../errors";
import { problemsOf } from "./body";

/** A path's or a query's parameters as the schema describes them, or `invalid_request` with all that is wrong with them. */
export function readParameters<T>(schema: z.ZodType<T>, parameters: unknown): T {
  const result = schema.safeParse(parameters);
  if (result.success) return result.data;
  throw new CurfewError("invalid_request", { details: result.error.issues.flatMap(problemsIn) });
}

/** Express makes a list of a parameter that is there several times. */
const problemsIn = (issue: z.core.$ZodIssue): Problem[] =>
  issue.code === "invalid_type"
    ? [{ path: issue.path.join("."), message: "must be there once" }]
    : problemsOf(issue);
