import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import type { Skill } from "./skill.ts";
import { inline, say } from "./skill.ts";

/** `image of blue waves`: a pattern computed from the words, by the hosted tool's protocol. */
export const image: Skill = ({ text }, turn) => {
  const match = /^(?:image|picture|draw)\s+(?:(?:of|a|an)\s+)*(.{1,300})$/is.exec(text);
  if (!match) return undefined;
  if (!turn.hosted.includes("image_generation")) {
    return say("Image generation is not on for this assistant, so I drew nothing.");
  }
  const prompt = (match[1] ?? "").trim();
  return {
    type: "answer",
    acts: [
      { type: "draw", prompt, png: patternOf(prompt) },
      {
        type: "say",
        text: `The picture is a pattern computed from the words “${inline(prompt)}”: the same words always give the same one. It does not show what they mean.`,
      },
    ],
  };
};

const cells = 12;
const cellPixels = 32;

/** A mirrored mosaic in two colours, as a PNG. */
function patternOf(words: string): Uint8Array {
  const hash = createHash("sha256").update(words.toLowerCase()).digest();
  const [r = 0, g = 0, b = 0] = hash;
  const front = [r >> 1, g >> 1, b >> 1];
  const back = [255 - (r >> 3), 255 - (g >> 3), 255 - (b >> 3)];
  const isOn = (row: number, column: number) => {
    const mirrored = Math.min(column, cells - 1 - column);
    const bit = row * (cells / 2) + mirrored;
    return ((hash[3 + (bit >> 3)] ?? 0) >> (bit & 7)) & 1;
  };
  const size = cells * cellPixels;
  const raw = new Uint8Array(size * (1 + size * 3));
  for (let y = 0; y < size; y++) {
    // Each line begins with its filter: 0, none.
    let at = y * (1 + size * 3) + 1;
    for (let x = 0; x < size; x++, at += 3) {
      const on = isOn(Math.floor(y / cellPixels), Math.floor(x / cellPixels));
      raw.set(on ? front : back, at);
    }
  }
  return toPng(size, raw);
}

function toPng(size: number, raw: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  // Eight bits a channel, red green blue.
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(raw)),
    chunk("IEND", new Uint8Array()),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.byteLength);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
