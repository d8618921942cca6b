import type { ChartSpec } from "#domain/chart-spec";

export type PaintedChart =
  | {
      readonly ok: true;
      readonly png: Uint8Array;
      /** In pixels. */
      readonly width: number;
      readonly height: number;
    }
  | {
      readonly ok: false;
      /** For the model: what was wrong with the chart. */
      readonly problem: string;
    };

/**
 * Paints a Vega-Lite chart whose data is in it. The specification is hostile until proven otherwise:
 * nothing is loaded, no expression of its own is run, time and memory are limited. Rejects only when
 * the signal is aborted or the painter cannot be started at all.
 */
export interface ChartPainter {
  paint(spec: ChartSpec, signal: AbortSignal): Promise<PaintedChart>;
}
