import { expect, test } from "vitest";
import { fileNamesOf } from "#domain/file-names";

test.each([
  ["leaves a plain name alone", "Bericht März.csv", "Bericht März.csv"],
  ["takes folders into the name", "out/2026/total.txt", "out-2026-total.txt"],
  ["leads nowhere", "../../../etc/passwd", "etc-passwd"],
  ["leads nowhere on Windows", "C:\\Users\\..\\evil.exe", "C-Users-evil.exe"],
  ["hides nothing", "...env", "env"],
  ["turns no name around", "\u202egnp.exe", "gnp.exe"],
  ["breaks no header", 'a"\r\nX: b.txt', "aX b.txt"],
  ["gives a name to what has none", "/../.", "file"],
  ["keeps the ending of a long one", `${"x".repeat(300)}.csv`, `${"x".repeat(116)}.csv`],
])("a file's name %s", (_rule, name, plain) => {
  expect(fileNamesOf([name])).toEqual([plain]);
});

test("no two files have one name", () => {
  expect(fileNamesOf(["a.csv", "A.csv", "x/a.csv", "a.csv", "b", "b"])).toEqual([
    "a.csv",
    "A-2.csv",
    "x-a.csv",
    "a-3.csv",
    "b",
    "b-2",
  ]);
});
