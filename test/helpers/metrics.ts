/** What /metrics says: each sample by its name and labels, as Prometheus would read it. */
export type Samples = ReadonlyMap<string, number>;

export async function scrape(url: string, token?: string): Promise<Samples> {
  const response = await fetch(`${url}/metrics`, {
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(200);
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** By how much each sample that begins so rose between two scrapes; those that didn't are left out. */
export const risenIn = (before: Samples, after: Samples, name: string): Record<string, number> =>
  Object.fromEntries(
    [...after]
      .filter(([sample]) => sample.startsWith(name))
      .map(([sample, value]): [string, number] => [
        /"(.*)"/.exec(sample)?.[1] ?? sample,
        value - (before.get(sample) ?? 0),
      ])
      .filter(([, rise]) => rise > 0),
  );
