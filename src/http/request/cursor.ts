import type { z } from "zod";
import { CurfewError } from "../../errors";

/** What a list is continued with: opaque to whoever gets it, and checked when it comes back. */
export const createCursor = <Where>(schema: z.ZodType<Where>) => ({
  write: (where: Where) => Buffer.from(JSON.stringify(where)).toString("base64url"),

  /** Throws `invalid_request` unless the text is such a cursor. */
  read(text: string): Where {
    const result = schema.safeParse(parse(Buffer.from(text, "base64url").toString()));
    if (!result.success) throw wrongCursor();
    return result.data;
  },
});

export const wrongCursor = () =>
  new CurfewError("invalid_request", {
    details: [{ path: "cursor", message: "must be the next_cursor of a page in the same order" }],
  });

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
