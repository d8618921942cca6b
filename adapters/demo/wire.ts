import { isObject } from "#domain/json";
/** What came over the wire, before anybody has looked at it. */
export type WireObject = { readonly [key: string]: unknown };

/** An object, or an empty one for anything else. */
export function asObject(value: unknown): WireObject {
  return isObject(value) ? value : {};
}

/** The objects of an array; nothing for anything else. */
export function asObjects(value: unknown): readonly WireObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A string, or "" for anything else. */
export function asString(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The strings of an array; nothing for anything else. */
export function asStrings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** A refusal in the form and words of the real service. */
export interface WireError {
  readonly status: number;
  readonly message: string;
  readonly type?: string;
  readonly code?: string | null;
  readonly param?: string | null;
  readonly headers?: { readonly [name: string]: string };
}

/** Thrown by a route; answered as JSON. */
export class Refusal extends Error {
  readonly error: WireError;

  constructor(error: WireError) {
    super(error.message);
    this.name = "Refusal";
    this.error = error;
  }
}

/** The body of a refusal, and of an `error` event. */
export function errorBody(error: WireError): WireObject {
  return {
    message: error.message,
    type: error.type ?? "invalid_request_error",
    param: error.param ?? null,
    code: error.code ?? null,
  };
}

export function notFound(what: string): Refusal {
  return new Refusal({ status: 404, message: `${what} not found.` });
}
