import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { zip } from "./document-fixtures.ts";

/** A package for a folder of Pyodide's packages. */
export interface WheelFixture {
  readonly name: string;
  readonly depends?: readonly string[];
  /** By path in the wheel. */
  readonly files: { readonly [path: string]: string | Buffer };
  /** True: its bytes are not those that the lock names. */
  readonly isForged?: boolean;
}

/** Writes wheels and a lock that names them, as a distribution of Pyodide has them. */
export function writeWheels(folder: string, wheels: readonly WheelFixture[]): void {
  const lockFile = createRequire(import.meta.url).resolve("pyodide/pyodide-lock.json");
  const { info } = JSON.parse(readFileSync(lockFile, "utf8")) as { info: object };
  const packages = wheels.map(({ name, depends = [], files, isForged = false }) => {
    const about = `${name}-1.0.dist-info`;
    const wheel = zip([
      ...Object.entries(files).map(([path, data]) => ({ name: path, data })),
      { name: `${about}/METADATA`, data: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n` },
      { name: `${about}/WHEEL`, data: "Wheel-Version: 1.0\nTag: py3-none-any\n" },
      { name: `${about}/RECORD`, data: "" },
    ]);
    const fileName = `${name}-1.0-py3-none-any.whl`;
    writeFileSync(join(folder, fileName), wheel);
    const sha256 = createHash("sha256")
      .update(isForged ? "another" : wheel)
      .digest("hex");
    const entry = {
      name,
      version: "1.0",
      file_name: fileName,
      install_dir: "site",
      package_type: "package",
      sha256,
      depends,
      imports: [name.replaceAll("-", "_")],
      unvendored_tests: false,
    };
    return [name, entry];
  });
  const lock = { info, packages: Object.fromEntries(packages) };
  writeFileSync(join(folder, "pyodide-lock.json"), JSON.stringify(lock));
}

/**
 * A module in machine code, the smallest there is: it has a name and a text about itself. Its parts
 * are those of the "dynamic linking" convention of WebAssembly that Emscripten follows.
 */
export function nativeModule(name: string, about: string): Buffer {
  const head = 52; // A PyModuleDef in 32 bits: a header of 20 bytes, eight fields of 4.
  const data = Buffer.concat([Buffer.alloc(head), Buffer.from(`${name}\0${about}\0`)]);
  data.writeInt32LE(-1, 28); // m_size: no state of its own.
  const aboutAt = head + name.length + 1;
  const base = [0x23, 0]; // global.get __memory_base
  const pointTo = (field: number, at: number) => [
    ...[...base, ...base, 0x41, ...signed(at), 0x6a],
    ...[0x36, 2, field], // i32.store
  ];
  const apiVersion = 1_013;
  const body = [
    0, // no locals
    ...pointTo(20, head), // m_name
    ...pointTo(24, aboutAt), // m_doc
    ...[...base, 0x41, ...signed(apiVersion), 0x10, 0, 0x0b], // PyModule_Create2(def, version)
  ];
  const i32 = 0x7f;
  return Buffer.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(0, [...text("dylink.0"), 1, 4, ...[data.length, 2, 0, 0]]),
    ...section(1, [2, ...[0x60, 2, i32, i32, 1, i32], ...[0x60, 0, 1, i32]]),
    ...section(2, [
      3,
      ...[...text("env"), ...text("PyModule_Create2"), 0, 0],
      ...[...text("env"), ...text("memory"), 2, 0, 0],
      ...[...text("env"), ...text("__memory_base"), 3, i32, 0],
    ]),
    ...section(3, [1, 1]),
    ...section(7, [1, ...text(`PyInit_${name}`), 0, 1]),
    ...section(10, [1, body.length, ...body]),
    ...section(11, [1, 0, ...base, 0x0b, data.length, ...data]),
  ]);
}

function section(id: number, content: readonly number[]): readonly number[] {
  return [id, ...unsigned(content.length), ...content];
}

function text(value: string): readonly number[] {
  return [value.length, ...Buffer.from(value)];
}

/** A number as WebAssembly writes it (LEB128); two bytes are enough here. */
function unsigned(value: number): readonly number[] {
  return [(value & 0x7f) | 0x80, value >> 7];
}

function signed(value: number): readonly number[] {
  return unsigned(value);
}
