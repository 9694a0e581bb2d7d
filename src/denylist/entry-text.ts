import { z } from "zod";
import type { WhyOver } from "../errors";
import type { Client } from "../redis/commands";
import { isObject } from "../tokens/json";
import { REASONS } from "./entry";

/** What whoever was refused may know of an entry. Nothing else of it leaves the service. */
export const WhySaid = z.object({
  reason: z.enum(REASONS).optional().catch(undefined),
  revoked_at: z.iso.datetime({ offset: true }).optional().catch(undefined),
});

/** An entry's text, which is empty for what isn't a string: an entry counts whatever it is. Null if there is none. */
export async function readText(client: Client, key: string): Promise<string | null> {
  try {
    return await client.get(key);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return "";
    throw error;
  }
}

/** Undefined for what isn't an object in JSON. */
export function parseText(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function whyIn(said: object | undefined): WhyOver {
  const { reason, revoked_at } = WhySaid.parse(said ?? {});
  return { ...(reason && { reason }), ...(revoked_at !== undefined && { revoked_at }) };
}
