/**
 * Evaluated first in the empty realm Python lives in (see realm.ts): what Pyodide misses there, in
 * plain JavaScript. Nothing in here comes from outside, and nothing in here leads outside.
 */
(() => {
  /** Files Pyodide asks for, by name. */
  const files = new Map();

  // By these Pyodide recognises a bare JavaScript shell, in which it uses nothing of Node or a browser.
  globalThis.load = () => {
    throw new Error("nothing is loaded here");
  };
  globalThis.read = (path) => {
    throw new Error(`there is no file ${path}`);
  };
  globalThis.readbuffer = (path) => {
    const file = files.get(path.slice(path.lastIndexOf("/") + 1));
    if (file === undefined) throw new Error(`there is no file ${path}`);
    return file.buffer;
  };
  globalThis.performance = { now: () => Date.now() };
  // How Pyodide asks a shell for random bytes. V8 seeds Math.random itself: fair dice, but no keys.
  globalThis.os = {
    system: (_program, words) => {
      const bytes = Number.parseInt(words[1].slice("head -c".length), 10);
      return toBase64(bytes, () => Math.floor(Math.random() * 256));
    },
  };

  globalThis.btoa = (characters) => toBase64(characters.length, (at) => characters.charCodeAt(at));

  globalThis.TextDecoder = class {
    #isWide;
    #isLatin;

    constructor(label = "utf-8") {
      this.#isWide = label === "utf-16le";
      this.#isLatin = label === "latin1";
    }

    decode(view) {
      const bytes = ArrayBuffer.isView(view)
        ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
        : new Uint8Array(view);
      if (this.#isWide) return charactersOf(new Uint16Array(bytes.slice().buffer));
      const text = charactersOf(bytes);
      return this.#isLatin ? text : decodeUtf8(text);
    }
  };

  return files;

  function charactersOf(codes) {
    let text = "";
    for (let from = 0; from < codes.length; from += 8_192) {
      text += String.fromCharCode(...codes.subarray(from, from + 8_192));
    }
    return text;
  }

  function decodeUtf8(bytes) {
    try {
      return decodeURIComponent(escape(bytes));
    } catch {
      return bytes;
    }
  }

  function toBase64(length, byteAt) {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = "";
    for (let at = 0; at < length; at += 3) {
      const three = [0, 1, 2].map((next) => (at + next < length ? byteAt(at + next) : 0));
      const bits = (three[0] << 16) | (three[1] << 8) | three[2];
      for (const shift of [18, 12, 6, 0]) text += letters[(bits >> shift) & 63];
    }
    const missing = (3 - (length % 3)) % 3;
    return text.slice(0, text.length - missing) + "=".repeat(missing);
  }
})();
