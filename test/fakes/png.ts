import { inflateSync } from "node:zlib";

/** A picture taken apart; `pixel` gives red, green and blue. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  pixel(x: number, y: number): readonly [number, number, number];
}

/** Decodes a PNG of eight bits a channel that is not interlaced. w3.org/TR/png-3 */
export function decodePng(data: Uint8Array): Picture {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (view.getUint32(0) !== 0x89504e47) throw new Error("this is no PNG");
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const channels = { 2: 3, 6: 4 }[view.getUint8(25)];
  if (view.getUint8(24) !== 8 || channels === undefined) throw new Error("another kind of PNG");
  const packed: Uint8Array[] = [];
  for (let at = 8; at < data.length; at += view.getUint32(at) + 12) {
    const name = new TextDecoder().decode(data.subarray(at + 4, at + 8));
    if (name === "IDAT") packed.push(data.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  const raw = inflateSync(Buffer.concat(packed));
  const line = width * channels;
  const bytes = new Uint8Array(line * height);
  for (let y = 0; y < height; y++) unfilter({ raw, bytes, y, line, channels });
  return {
    width,
    height,
    pixel(x, y) {
      const at = y * line + x * channels;
      return [bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0];
    },
  };
}

/** How many pixels of a part of a picture are not white. */
export function inkedPixels(
  picture: Picture,
  { from = [0, 0], to = [picture.width, picture.height] }: { from?: number[]; to?: number[] } = {},
): number {
  let inked = 0;
  for (let y = from[1] ?? 0; y < (to[1] ?? 0); y++) {
    for (let x = from[0] ?? 0; x < (to[0] ?? 0); x++) {
      if (picture.pixel(x, y).some((channel) => channel < 200)) inked += 1;
    }
  }
  return inked;
}

function unfilter(at: {
  readonly raw: Uint8Array;
  readonly bytes: Uint8Array;
  readonly y: number;
  readonly line: number;
  readonly channels: number;
}): void {
  const { raw, bytes, y, line, channels } = at;
  const from = y * (line + 1);
  for (let i = 0; i < line; i++) {
    const left = i >= channels ? (bytes[y * line + i - channels] ?? 0) : 0;
    const up = y > 0 ? (bytes[(y - 1) * line + i] ?? 0) : 0;
    const corner = y > 0 && i >= channels ? (bytes[(y - 1) * line + i - channels] ?? 0) : 0;
    const expected = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][raw[from] ?? 0] ?? 0;
    bytes[y * line + i] = (raw[from + 1 + i] ?? 0) + expected;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((one) => Math.abs(guess - one)) as [
    number,
    number,
    number,
  ];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
