import { login, logout, me, register, settled, type Tokens } from "./client";

/** Several devices of one user. */
export async function openDevices(url: string, count: number): Promise<Tokens[]> {
  const { user } = await register(url);
  const devices: Tokens[] = [];
  for (let at = 0; at < count; at += 1) devices.push(await login(url, user.email));
  return devices;
}

/** Logs devices out, four at a time, and breaks something half-way. Gives those whose logout was acknowledged. */
export async function logOutWhile(
  url: string,
  devices: Tokens[],
  breakIt: () => Promise<unknown>,
): Promise<Tokens[]> {
  const acknowledged: Tokens[] = [];
  const waiting = [...devices];
  let broken: Promise<unknown> | undefined;
  async function leaveOneByOne(): Promise<void> {
    for (let device = waiting.pop(); device; device = waiting.pop()) {
      if (waiting.length < devices.length / 2) broken ??= breakIt();
      const { status } = await logout(url, device.access_token);
      expect([200, 503]).toContain(status);
      if (status === 200) acknowledged.push(device);
    }
  }
  await Promise.all(Array.from({ length: 4 }, leaveOneByOne));
  await broken;
  return acknowledged;
}

export async function expectOut(url: string, devices: Tokens[]): Promise<void> {
  for (const { access_token } of devices)
    expect((await settled(() => me(url, access_token))).status).toBe(401);
}
