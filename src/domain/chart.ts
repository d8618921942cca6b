/** One line of a line chart, one colour of a bar chart, the slices of a pie. */
export interface ChartSeries {
  readonly name: string;
  /** One for each label. */
  readonly values: readonly number[];
}

/** A chart to be drawn. A pie has exactly one series, of values that are not negative. */
export interface Chart {
  readonly type: "bar" | "line" | "pie";
  readonly title: string;
  readonly labels: readonly string[];
  readonly series: readonly ChartSeries[];
  /** Written beside the numbers: `EUR`, `%`. */
  readonly unit?: string;
}

/** Most labels and series one chart takes; more cannot be told apart. */
export const chartLimits = { labels: 100, pieSlices: 16, series: 8 } as const;

/** What is wrong with a chart, in words, or undefined. */
export function chartProblem(chart: Chart): string | undefined {
  const { labels, series, type } = chart;
  if (labels.length === 0 || series.length === 0) return "A chart needs labels and a series.";
  const most = type === "pie" ? chartLimits.pieSlices : chartLimits.labels;
  if (labels.length > most) return `${labels.length} labels; a ${type} chart takes ${most}.`;
  if (series.length > chartLimits.series) {
    return `${series.length} series; a chart takes ${chartLimits.series}.`;
  }
  const uneven = series.find((one) => one.values.length !== labels.length);
  if (uneven) {
    return `\`${uneven.name}\` has ${uneven.values.length} values for ${labels.length} labels.`;
  }
  if (series.some((one) => !one.values.every(isDrawable))) {
    return "Every value has to be zero or of a size from 1e-9 to 1e15.";
  }
  if (type !== "pie") return undefined;
  const [only] = series;
  if (series.length > 1) return `A pie shows one series, not ${series.length}.`;
  if (only?.values.some((value) => value < 0)) return "A pie cannot show negative values.";
  if (only?.values.every((value) => value === 0)) return "A pie needs a value above zero.";
  return undefined;
}

function isDrawable(value: number): boolean {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-9 && size <= 1e15);
}

/**
 * Draws a chart as a self-contained SVG: no script, no links, no fonts of its own, readable on a
 * light and a dark page. The same chart gives the same bytes. Expects {@link chartProblem} to be undefined.
 */
export function drawChart(chart: Chart): string {
  const legend = legendOf(chart);
  const body = chart.type === "pie" ? pieSlices(chart) : plot(chart);
  const alt = describeChart(chart);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + legend.height}" width="${width}" height="${height + legend.height}" role="img" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${xml(chart.title)}</title>`,
    `<desc>${xml(alt)}</desc>`,
    `<rect width="100%" height="100%" rx="8" fill="#ffffff"/>`,
    `<text x="${width / 2}" y="30" text-anchor="middle" font-size="18" font-weight="600" fill="${ink}">${xml(shortened(chart.title, 70))}</text>`,
    ...body,
    ...legend.parts,
    "</svg>",
    "",
  ].join("\n");
}

/** The chart in words, for who cannot see it: all its values, or their range where they are many. */
export function describeChart(chart: Chart): string {
  const unit = chart.unit ? ` ${chart.unit}` : "";
  const kind = { bar: "Bar chart", line: "Line chart", pie: "Pie chart" }[chart.type];
  const parts = chart.series.map((one) => {
    const name = chart.series.length > 1 || chart.type !== "pie" ? `${one.name}: ` : "";
    if (one.values.length <= 12) {
      const pairs = one.values.map((value, i) => `${chart.labels[i]} ${shortNumber(value)}${unit}`);
      return name + pairs.join(", ");
    }
    const least = Math.min(...one.values);
    const most = Math.max(...one.values);
    return `${name}${one.values.length} values from ${shortNumber(least)}${unit} (${chart.labels[one.values.indexOf(least)]}) to ${shortNumber(most)}${unit} (${chart.labels[one.values.indexOf(most)]})`;
  });
  return `${kind} "${chart.title}". ${parts.join(". ")}.`;
}

const width = 720;
const height = 420;
const area = { left: 76, right: 696, top: 56, bottom: 352 } as const;
/** The colour of a chart's words and axes. */
export const ink = "#1f2430";
const faint = "#d9dce3";

/** The colours of series in their order, told apart with every common kind of colour blindness (after Okabe and Ito). */
export const colours = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#d55e00",
  "#cc79a7",
  "#56b4e9",
  "#7f6a00",
  "#555b66",
] as const;

/** The ninth looks like the first, but lighter: at most sixteen are ever needed. */
function colour(index: number): string {
  const base = colours[index % colours.length] ?? ink;
  return index < colours.length ? base : `${base}99`;
}

function plot(chart: Chart): readonly string[] {
  const all = chart.series.flatMap((one) => one.values);
  const isBar = chart.type === "bar";
  const ticks = ticksFor(
    Math.min(...all, ...(isBar ? [0] : [])),
    Math.max(...all, ...(isBar ? [0] : [])),
  );
  const [bottom = 0] = ticks;
  const top = ticks.at(-1) ?? 1;
  const yOf = (value: number) =>
    area.bottom - ((value - bottom) / (top - bottom)) * (area.bottom - area.top);
  const slot = (area.right - area.left) / chart.labels.length;
  const marks = isBar
    ? bars(chart, { yOf, slot, base: yOf(Math.max(0, bottom)) })
    : lines(chart, { yOf, slot });
  const zero = bottom <= 0 && top >= 0 ? yOf(0) : area.bottom;
  return [
    ...ticks.map(
      (tick) =>
        `<line x1="${area.left}" x2="${area.right}" y1="${px(yOf(tick))}" y2="${px(yOf(tick))}" stroke="${faint}"/><text x="${area.left - 8}" y="${px(yOf(tick) + 4)}" text-anchor="end" fill="${ink}">${shortNumber(tick)}</text>`,
    ),
    ...(chart.unit
      ? [
          `<text x="${area.left}" y="${area.top - 8}" text-anchor="end" fill="${ink}">${xml(shortened(chart.unit, 12))}</text>`,
        ]
      : []),
    ...marks,
    `<line x1="${area.left}" x2="${area.right}" y1="${px(zero)}" y2="${px(zero)}" stroke="${ink}"/>`,
    ...axisLabels(chart.labels, slot),
  ];
}

function bars(
  chart: Chart,
  { yOf, slot, base }: { yOf: (value: number) => number; slot: number; base: number },
): readonly string[] {
  const thickness = (slot * 0.76) / chart.series.length;
  return chart.series.flatMap((one, s) =>
    one.values.map((value, i) => {
      const x = area.left + slot * i + slot * 0.12 + thickness * s;
      const y = Math.min(yOf(value), base);
      const size = Math.abs(yOf(value) - base);
      return `<rect x="${px(x)}" y="${px(y)}" width="${px(Math.max(thickness - 1, 1))}" height="${px(size)}" fill="${colour(s)}"/>`;
    }),
  );
}

function lines(
  chart: Chart,
  { yOf, slot }: { yOf: (value: number) => number; slot: number },
): readonly string[] {
  return chart.series.flatMap((one, s) => {
    const points = one.values.map(
      (value, i) => [px(area.left + slot * (i + 0.5)), px(yOf(value))] as const,
    );
    const path = points.map(([x, y]) => `${x},${y}`).join(" ");
    const dots =
      points.length <= 40
        ? points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${colour(s)}"/>`)
        : [];
    return [
      `<polyline points="${path}" fill="none" stroke="${colour(s)}" stroke-width="2"/>`,
      ...dots,
    ];
  });
}

/** Slanted when they would touch; every n-th one when even that is not enough. */
function axisLabels(labels: readonly string[], slot: number): readonly string[] {
  const every = Math.ceil(18 / slot);
  const longest = Math.max(...labels.map((label) => label.length));
  const isSlanted = longest * 7.5 > slot * every;
  return labels.flatMap((label, i) => {
    if (i % every !== 0) return [];
    const x = px(area.left + slot * (i + 0.5));
    const y = area.bottom + 18;
    const text = xml(shortened(label, isSlanted ? 12 : 24));
    return isSlanted
      ? `<text x="${x}" y="${y}" text-anchor="end" fill="${ink}" transform="rotate(-35 ${x} ${y})">${text}</text>`
      : `<text x="${x}" y="${y}" text-anchor="middle" fill="${ink}">${text}</text>`;
  });
}

function pieSlices(chart: Chart): readonly string[] {
  const values = chart.series[0]?.values ?? [];
  const total = values.reduce((a, b) => a + b, 0);
  const centre = { x: width / 2, y: 222 };
  const radius = 160;
  const at = (share: number, r: number) => {
    const angle = share * 2 * Math.PI - Math.PI / 2;
    return `${px(centre.x + r * Math.cos(angle))} ${px(centre.y + r * Math.sin(angle))}`;
  };
  let before = 0;
  return values.flatMap((value, i) => {
    const share = value / total;
    const from = before;
    before += share;
    if (value === 0) return [];
    // An arc from a point to itself draws nothing: one slice that is everything is a circle.
    if (share > 0.9999) {
      return `<circle cx="${centre.x}" cy="${centre.y}" r="${radius}" fill="${colour(i)}"/>`;
    }
    const arc = `M ${centre.x} ${centre.y} L ${at(from, radius)} A ${radius} ${radius} 0 ${share > 0.5 ? 1 : 0} 1 ${at(before, radius)} Z`;
    const slice = `<path d="${arc}" fill="${colour(i)}" stroke="#ffffff" stroke-width="2"/>`;
    if (share < 0.04) return slice;
    const [x, y] = at(from + share / 2, radius * 0.68).split(" ");
    return [
      slice,
      `<text x="${x}" y="${y}" text-anchor="middle" fill="#ffffff" font-weight="600" stroke="${ink}" stroke-width="2.5" paint-order="stroke">${shortNumber(share * 100, 1)}%</text>`,
    ];
  });
}

function legendOf(chart: Chart): { readonly height: number; readonly parts: readonly string[] } {
  const unit = chart.unit ? ` ${chart.unit}` : "";
  const names =
    chart.type === "pie"
      ? chart.labels.map(
          (label, i) =>
            `${shortened(label, 22)} (${shortNumber(chart.series[0]?.values[i] ?? 0)}${unit})`,
        )
      : chart.series.length > 1
        ? chart.series.map((one) => shortened(one.name, 30))
        : [];
  if (names.length === 0) return { height: 0, parts: [] };
  const parts: string[] = [];
  let x = 24;
  let y = height;
  for (const [i, name] of names.entries()) {
    const size = 34 + name.length * 7.2;
    if (x > 24 && x + size > width - 16) {
      x = 24;
      y += 24;
    }
    parts.push(
      `<rect x="${px(x)}" y="${y}" width="14" height="14" rx="3" fill="${colour(i)}"/><text x="${px(x + 20)}" y="${y + 12}" fill="${ink}">${xml(name)}</text>`,
    );
    x += size;
  }
  return { height: y - height + 28, parts };
}

/** About five round steps that enclose the range. */
function ticksFor(least: number, most: number): readonly number[] {
  // Values that differ in their last digits alone would need ticks that cannot be told apart.
  const finest = Math.max(Math.abs(most), Math.abs(least)) * 1e-6;
  const span = Math.max(most - least, finest) || 1;
  const rough = span / 5;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= rough) ?? 10) * magnitude;
  const first = Math.floor(least / step);
  const last = Math.max(Math.ceil(most / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

function shortNumber(value: number, places?: number): string {
  if (places !== undefined) return String(Number(value.toFixed(places)));
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-6)) return value.toExponential(3);
  const [whole = "", part] = String(Number(value.toPrecision(12))).split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? `.${part}` : "");
}

function px(value: number): string {
  return String(Number(value.toFixed(2)));
}

function shortened(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}

/** For text and attributes; characters XML does not allow at all are left out. */
function xml(text: string): string {
  const allowed = text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "");
  return allowed.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
