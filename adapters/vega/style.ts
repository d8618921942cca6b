import { colours, ink } from "#domain/chart";
import type { ChartSpec } from "#domain/chart-spec";
import { isObject, type Json } from "#domain/json";

/** Comes along as a package, for machines without any font (`dejavu-fonts-ttf`). */
export const fontFamily = "DejaVu Sans";
export const fontFiles = [
  "DejaVuSans.ttf",
  "DejaVuSans-Bold.ttf",
  "DejaVuSans-Oblique.ttf",
] as const;

const size = { width: 560, height: 320 } as const;

const look = {
  font: fontFamily,
  padding: 16,
  background: "white",
  range: { category: colours },
  mark: { color: colours[0] },
  view: { stroke: null },
  title: { fontSize: 16, color: ink, offset: 14 },
  axis: {
    labelFontSize: 12,
    titleFontSize: 12,
    labelColor: ink,
    titleColor: ink,
    titlePadding: 10,
  },
  axisX: { grid: false },
  legend: { labelFontSize: 12, titleFontSize: 12, labelColor: ink, titleColor: ink },
  line: { strokeWidth: 2.5 },
} as const;

/** The chart with a size and a look, where it does not say its own. Its font is always ours. */
export function styled(spec: ChartSpec): ChartSpec {
  const own = isObject(spec.config) ? spec.config : {};
  const isSingle = "mark" in spec || "layer" in spec;
  return {
    ...(isSingle ? size : {}),
    ...spec,
    ...(spec.width === "container" ? { width: size.width } : {}),
    ...(spec.height === "container" ? { height: size.height } : {}),
    config: { ...merged({ ...look, axisXDiscrete: labelsOf(spec) }, own), font: fontFamily },
  };
}

/** Short names along the x axis stand upright; long or many lean. */
function labelsOf(spec: ChartSpec): { readonly [key: string]: Json } {
  const encoding = isObject(spec.encoding) ? spec.encoding : {};
  const field = isObject(encoding.x) ? encoding.x.field : undefined;
  const values = isObject(spec.data) && Array.isArray(spec.data.values) ? spec.data.values : [];
  const names = new Set(
    values.map((row) => (isObject(row) && typeof field === "string" ? String(row[field]) : "")),
  );
  const longest = Math.max(0, ...[...names].map((name) => name.length));
  return names.size * (longest + 1) <= 70
    ? { labelAngle: 0 }
    : { labelAngle: -40, labelAlign: "right", labelLimit: 140 };
}

type Members = { readonly [key: string]: Json | undefined };

function merged(base: Members, own: Members): Members {
  const entries = Object.entries(own).map(([key, value]) => {
    const known = base[key];
    return [key, isObject(known) && isObject(value) ? { ...known, ...value } : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}
