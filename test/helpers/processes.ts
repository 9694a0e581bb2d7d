import type { ChildProcess } from "node:child_process";

const started = new Set<ChildProcess>();

/** Sees to it that a process ends with the tests that started it, also when they fail. */
export function untilTestsEnd<T extends ChildProcess>(child: T): T {
  started.add(child);
  return child;
}

afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
});
