import type { ChildProcess } from "node:child_process";

const started = new Set<ChildProcess>();
type Connected = { status: string; disconnect(): void };
const connected = new Set<Connected>();

/** Sees to it that a process ends with the tests that started it, also when they fail. */
export function untilTestsEnd<T extends ChildProcess>(child: T): T {
  started.add(child);
  return child;
}

/** The same for a client that would go on connecting for ever. */
export function connectedUntilTestsEnd<T extends Connected>(client: T): T {
  connected.add(client);
  return client;
}

afterAll(() => {
  for (const client of connected) if (client.status !== "end") client.disconnect();
  for (const child of started) child.kill("SIGKILL");
});
