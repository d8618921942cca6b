import { createInflateRaw } from "node:zlib";
import { Unreadable } from "./request.ts";

/** More parts than any office document has. */
const maxEntries = 10_000;

/**
 * Looks into a ZIP archive before a parser does: how much it really unpacks to, whatever it says of
 * itself. Throws when that is more than the limit, or when the archive is damaged or encrypted.
 */
export async function checkArchive(data: Uint8Array, maxUnpackedBytes: number): Promise<void> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let left = maxUnpackedBytes;
  for (const entry of entriesOf(view)) {
    if (entry.isEncrypted) {
      throw new Unreadable("file-unsupported", "is protected with a password.");
    }
    const packed = packedBytes(data, view, entry);
    left -= entry.isStored ? packed.length : await inflatedBytes(packed, left);
    if (left < 0) {
      throw new Unreadable(
        "file-too-large",
        `unpacks to more than ${Math.round(maxUnpackedBytes / 1_000_000)} MB, which is more than I read.`,
      );
    }
  }
}

interface Entry {
  readonly isEncrypted: boolean;
  readonly isStored: boolean;
  readonly packedBytes: number;
  readonly offset: number;
}

/** The central directory. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 */
function entriesOf(view: DataView): readonly Entry[] {
  const end = endOfDirectory(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === 0xffffffff || count > maxEntries) {
    throw new Unreadable("file-too-large", `has more than ${maxEntries} parts inside.`);
  }
  const entries: Entry[] = [];
  for (let index = 0; index < count; index++) {
    if (at + 46 > view.byteLength || view.getUint32(at, true) !== 0x02014b50) throw damaged();
    const method = view.getUint16(at + 10, true);
    if (method !== 0 && method !== 8) throw damaged();
    entries.push({
      isEncrypted: (view.getUint16(at + 8, true) & 1) === 1,
      isStored: method === 0,
      packedBytes: view.getUint32(at + 20, true),
      offset: view.getUint32(at + 42, true),
    });
    at +=
      46 +
      view.getUint16(at + 28, true) +
      view.getUint16(at + 30, true) +
      view.getUint16(at + 32, true);
  }
  return entries;
}

function endOfDirectory(view: DataView): number {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) === 0x06054b50) return at;
  }
  throw damaged();
}

function packedBytes(data: Uint8Array, view: DataView, entry: Entry): Uint8Array {
  const { offset } = entry;
  if (offset + 30 > data.length || view.getUint32(offset, true) !== 0x04034b50) throw damaged();
  const from = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  const to = from + entry.packedBytes;
  if (to > data.length) throw damaged();
  return data.subarray(from, to);
}

/** Unpacks without keeping anything, and stops soon after the limit. */
async function inflatedBytes(packed: Uint8Array, limit: number): Promise<number> {
  const inflate = createInflateRaw();
  let bytes = 0;
  try {
    inflate.end(packed);
    for await (const chunk of inflate) {
      bytes += chunk.length;
      if (bytes > limit) break;
    }
  } catch {
    throw damaged();
  }
  return bytes;
}

function damaged(): Unreadable {
  return new Unreadable("file-broken", "is damaged: its archive cannot be unpacked.");
}
