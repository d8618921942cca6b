/**
 * The real `fetch`, under which server-sent events come one by one: how many of them share a packet
 * is left to chance otherwise.
 */
export const eventByEvent: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  if (!response.body || !isStream) return response;
  return new Response(response.body.pipeThrough(splitAfterEmptyLines()), {
    status: response.status,
    headers: response.headers,
  });
};

function splitAfterEmptyLines(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  return new TransformStream({
    transform(chunk, controller) {
      for (const event of decoder.decode(chunk, { stream: true }).split(/(?<=\n\n)/)) {
        if (event !== "") controller.enqueue(encoder.encode(event));
      }
    },
  });
}
