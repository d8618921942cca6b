/** About the advance widths of DejaVu Sans, in thousandths of an em, of what texts are mostly made of. */
const widths: { readonly [letters: string]: number } = {
  "ijl|'": 277,
  "I.,:; ft!()[]/-": 340,
  rsczJL: 530,
  "abcdeghknopquvxyß0123456789$?*_FESTYZPX": 625,
  "ABCDGHKNOQRUV&w+=<>~#": 760,
  "mMW@%": 950,
};
const bold = 1.1;
/** Chinese, Japanese, Korean and emoji fill the square. */
const square =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]|\p{Emoji_Presentation}/u;

const byLetter = new Map(
  Object.entries(widths).flatMap(([letters, width]) => [...letters].map((one) => [one, width])),
);

/** How wide a text will be, in pixels: close enough to lay out around it. */
export function textWidth(
  item: { readonly fontSize?: number; readonly fontWeight?: string | number },
  text?: unknown,
): number {
  const letters = [...String(text ?? (item as { readonly text?: unknown }).text ?? "")];
  const sum = letters.reduce(
    (width, one) => width + (byLetter.get(one) ?? (square.test(one) ? 1_000 : 625)),
    0,
  );
  const isBold = item.fontWeight === "bold" || Number(item.fontWeight) >= 600;
  return (sum / 1_000) * (item.fontSize ?? 11) * (isBold ? bold : 1);
}
