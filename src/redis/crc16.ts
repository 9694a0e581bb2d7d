/** CRC-16/XMODEM, from which Redis Cluster computes a key's slot. */
export function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

/** The slot of the keys that begin with this prefix, which must contain a hash tag. */
export const slotOf = (prefix: string) => crc16(/\{(.+?)\}/.exec(prefix)?.[1] ?? prefix) % 16_384;
