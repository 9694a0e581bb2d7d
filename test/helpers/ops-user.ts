import type { Redis } from "ioredis";
import { login, register, type Tokens } from "./client";

/** Somebody of the ops staff, logged in. */
export async function becomeOps(url: string, { admin }: { admin: Redis }): Promise<Tokens> {
  const { user } = await register(url);
  await admin.hset(`curfew:user:${user.id}`, "roles", "ops");
  return login(url, user.email);
}
