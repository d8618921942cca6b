import type { ChartSpec } from "#domain/chart-spec";

/** What the painter's process is asked. */
export interface PaintRequest {
  readonly spec: ChartSpec;
  /** Font files, as absolute paths; the first one's family is used throughout. */
  readonly fonts: readonly string[];
}

/** What it answers. */
export type PaintAnswer =
  | {
      readonly ok: true;
      /** A PNG in base64. */
      readonly png: string;
      readonly width: number;
      readonly height: number;
    }
  | { readonly ok: false; readonly problem: string };
