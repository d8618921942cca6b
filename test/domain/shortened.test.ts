import { expect, test } from "vitest";
import { shortened } from "#domain/shortened";

test.each([
  ["leaves text that fits alone", "short", 8, "short"],
  ["cuts at a word's end", "one two three", 8, "one two…"],
  ["cuts within a word that takes more than half", "a incomprehensible", 10, "a incompr…"],
  ["cuts no character in half", "abc😀def", 5, "abc…"],
])("shortening %s", (_rule, text, most, shown) => {
  expect(shortened(text, most)).toBe(shown);
});
