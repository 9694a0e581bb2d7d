import { UNCHANGED } from "./acting";
import { ask, isAttended } from "./ask";

const MAX_BYTES = 16_384;

/** Asks for a new password twice, unseen; where nobody can be asked, reads it from standard input. */
export async function readPassword(): Promise<{ chosen: string } | { refused: string }> {
  if (!isAttended()) {
    const line = await readLine();
    return line === ""
      ? { refused: "Write the password to standard input, in one line.\n" }
      : { chosen: line };
  }
  const chosen = await ask("Password: ", { isHidden: true });
  if (chosen === undefined) return { refused: UNCHANGED };
  const again = await ask("The same again: ", { isHidden: true });
  return again === chosen ? { chosen } : { refused: `They aren't the same. ${UNCHANGED}` };
}

/** The first line of standard input, without its end. */
async function readLine(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (chunk.includes("\n") || bytes > MAX_BYTES) break;
  }
  const [line = ""] = Buffer.concat(chunks).toString("utf8").split("\n");
  return line.replace(/\r$/, "");
}
