/** Who is at the other end of a request. */
export interface HttpPeer {
  readonly address: string;
  readonly isLoopback: boolean;
}

/**
 * A part of the one HTTP server: the console, a platform's webhook. `main.ts` hands them to the
 * server, which routes by prefix and adds nothing but size limits and error answers.
 */
export interface HttpRoutes {
  /** Path prefixes it answers: `/slack/`, `/console/`. `/` takes what nobody else does. */
  readonly prefixes: readonly string[];
  /** A longer body is refused with 413, whether it says its length or not. Default: 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Checks credentials itself. Streams are ordinary response bodies. */
  handle(request: Request, peer: HttpPeer): Promise<Response>;
}
