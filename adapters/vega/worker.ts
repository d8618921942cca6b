import { Resvg, type ResvgRenderOptions } from "@resvg/resvg-js";
import * as vega from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import { messageOf } from "#domain/errors";
import { answer, readRequest } from "../confined/inside.ts";
import type { PaintAnswer, PaintRequest } from "./protocol.ts";
import { fontFamily, styled } from "./style.ts";
import { textWidth } from "./text-width.ts";

/**
 * The painter's process: one chart, then the end. Vega-Lite becomes Vega becomes SVG becomes PNG.
 * Nothing is loaded on the way, and the expressions Vega-Lite writes itself are interpreted: no code
 * is made of text (vega.github.io/vega/usage/interpreter).
 */
const scale = 2;
/** A picture of more is of no use in a chat, and takes memory by its area. */
const maxSidePixels = 6_000;

/** Exported, but not in Vega's types. */
const { textMetrics } = vega as unknown as { readonly textMetrics: { width: typeof textWidth } };

const { request } = readRequest<PaintRequest>();
answer(await paint(request));
process.exit(0);

async function paint({ spec, fonts }: PaintRequest): Promise<PaintAnswer> {
  try {
    return rasterised(await drawn(spec), fonts);
  } catch (error) {
    const text = messageOf(error);
    return { ok: false, problem: `Vega-Lite refused it: ${text.slice(0, 500)}` };
  }
}

async function drawn(spec: PaintRequest["spec"]): Promise<string> {
  // Without a canvas Vega guesses how wide a text is; these are the widths of the font itself.
  textMetrics.width = textWidth;
  const warnings: string[] = [];
  const logger = collecting(warnings);
  const chart = compile(styled(spec) as unknown as TopLevelSpec, { logger }).spec;
  const view = new vega.View(vega.parse(chart, undefined, { ast: true }), {
    expr: expressionInterpreter,
    loader: loadsNothing(),
    logger,
    renderer: "none",
  });
  const svg = await view.toSVG();
  const [first] = warnings;
  // A mistake in the encoding often leaves an empty picture and a warning.
  if (first !== undefined && !/<(path|text)/.test(svg)) throw new Error(first);
  return svg;
}

/** Whatever it is asked for. */
function loadsNothing(): vega.Loader {
  const refuse = () => Promise.reject(new Error("nothing is loaded"));
  return { load: refuse, sanitize: refuse, http: refuse, file: refuse };
}

function collecting(warnings: string[]) {
  const logger = vega.logger(vega.Warn);
  const collect = (...words: readonly unknown[]) => {
    warnings.push(words.join(" "));
    return logger;
  };
  return Object.assign(logger, { warn: collect, error: collect });
}

function rasterised(svg: string, fonts: readonly string[]): PaintAnswer {
  const options = {
    fitTo: { mode: "zoom", value: scale },
    background: "white",
    font: {
      fontFiles: [...fonts],
      // For scripts that the font we bring does not have; there may be none.
      loadSystemFonts: true,
      defaultFontFamily: fontFamily,
      sansSerifFamily: fontFamily,
    },
  } satisfies ResvgRenderOptions;
  const picture = new Resvg(svg, options);
  const side = Math.max(picture.width, picture.height) * scale;
  if (side > maxSidePixels) {
    return {
      ok: false,
      problem: `The picture would have ${Math.round(side)} pixels on one side; at most ${maxSidePixels}. Make it smaller, or show less.`,
    };
  }
  const image = picture.render();
  const { width, height } = image;
  return { ok: true, png: image.asPng().toString("base64"), width, height };
}
