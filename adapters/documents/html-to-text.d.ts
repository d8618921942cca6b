declare module "html-to-text" {
  /** The part of the package's options used here. https://github.com/html-to-text/node-html-to-text */
  export interface ConvertOptions {
    readonly wordwrap?: number | false;
    readonly limits?: { readonly maxInputLength?: number };
    readonly selectors?: readonly {
      readonly selector: string;
      readonly format?: string;
      readonly options?: { readonly [name: string]: unknown };
    }[];
  }
  export function convert(html: string, options?: ConvertOptions): string;
}
