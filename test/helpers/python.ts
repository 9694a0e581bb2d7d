import { spawnSync } from "node:child_process";

/** Debian's packages are for Debian's Python, which needn't be the first on the PATH. */
export function findPython(): string {
  const found = ["python3", "/usr/bin/python3"].find(
    (python) => spawnSync(python, ["-c", "import redis, jwt, cryptography"]).status === 0,
  );
  if (found !== undefined) return found;
  throw new Error(
    "This test needs a Python with redis, PyJWT and cryptography (Debian: apt-get install python3-redis python3-jwt python3-cryptography).",
  );
}
