import { createHash } from "node:crypto";
import { z } from "zod";
import { readNamedFile } from "./named-file";
import type { Reading } from "./reading";

/** A service that may introspect and revoke every token. Only the SHA-256 of its secret is known. */
export type OAuthClient = { readonly id: string; readonly secretHash: Buffer };

/** The hash of an empty secret: somebody's command to hash a secret got no input. */
const NO_SECRET = createHash("sha256").digest();

const CLIENT = z.strictObject(
  {
    client_id: z
      .string({ error: "it is not a string" })
      .regex(/^[\x21-\x7e]{1,128}$/, { error: "it is not 1 to 128 ASCII letters, digits and signs" }),
    client_secret_sha256: z
      .string({ error: "it is not a string" })
      .regex(/^[0-9a-f]{64}$/i, { error: "it is not a SHA-256 in 64 hexadecimal digits" })
      .refine((hex) => !NO_SECRET.equals(Buffer.from(hex, "hex")), {
        error: "it is the hash of an empty secret",
      }),
  },
  {
    // Not quoted, because an unknown name may be the secret itself.
    error: ({ code }) =>
      code === "unrecognized_keys" ? "it has an unknown name" : "it is not a JSON object",
  },
);

const CLIENTS = z.array(CLIENT, { error: "it is not a JSON array" }).superRefine((clients, context) => {
  for (const [at, { client_id }] of clients.entries()) {
    const first = clients.findIndex((other) => other.client_id === client_id);
    if (first !== at)
      context.addIssue({
        code: "custom",
        path: [at, "client_id"],
        message: `it is the same as in [${first}]`,
      });
  }
});

export function readClientsFile(reading: Reading<"text">): OAuthClient[] {
  const text = readNamedFile(reading, "clients");
  if (text === undefined) return [];
  const { clients, problems } = readClients(text);
  for (const problem of problems) reading.refuse("clients", problem);
  return clients;
}

/** Reads the list of clients, or returns what is wrong and where. No problem quotes a value. */
export function readClients(json: string): { clients: OAuthClient[]; problems: string[] } {
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch {
    return { clients: [], problems: ["it is not JSON"] };
  }
  const { data, error } = CLIENTS.safeParse(list);
  if (!data) return { clients: [], problems: error.issues.map(problemOf) };
  const clients = data.map((each) => ({
    id: each.client_id,
    secretHash: Buffer.from(each.client_secret_sha256, "hex"),
  }));
  return { clients, problems: [] };
}

const problemOf = ({ path, message }: z.core.$ZodIssue) =>
  path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`;
