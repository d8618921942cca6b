import { CitationReader, type CitedPiece } from "#domain/citation-marks";
import { readFoundPassages } from "#domain/found-passages";
import type { Source } from "#domain/run-event";
import { shortened } from "#domain/shortened";
import type { TranscriptEntry } from "#domain/thread";
import type { ModelEvent } from "#ports/model-backend";

/** A quote on a footnote: enough to find the place. */
const maxQuoteCharacters = 240;

/**
 * The events of a turn with the marks of passages found by our own search made into citations. The
 * passages are those whose search stands in the transcript, so that nothing else can be cited.
 */
export function citePassages(
  events: AsyncIterable<ModelEvent>,
  transcript: readonly TranscriptEntry[],
): AsyncIterable<ModelEvent> {
  const sources = sourcesIn(transcript);
  return sources.size === 0 ? events : withCitations(events, new CitationReader(sources));
}

async function* withCitations(
  events: AsyncIterable<ModelEvent>,
  reader: CitationReader,
): AsyncGenerator<ModelEvent> {
  for await (const event of events) {
    if (event.type === "text-delta") yield* reader.push(event.text).map(toEvent);
    else {
      if (event.type === "turn-end") yield* reader.end().map(toEvent);
      yield event;
    }
  }
}

function toEvent(piece: CitedPiece): ModelEvent {
  return piece.type === "text"
    ? { type: "text-delta", text: piece.text }
    : { type: "citation", source: piece.source };
}

function sourcesIn(transcript: readonly TranscriptEntry[]): ReadonlyMap<string, Source> {
  const searches = new Set(
    transcript.flatMap((entry) =>
      entry.type === "tool-call" && entry.name === "file_search" ? [entry.callId] : [],
    ),
  );
  const sources = new Map<string, Source>();
  for (const entry of transcript) {
    if (entry.type !== "tool-output" || !searches.has(entry.callId)) continue;
    for (const { mark, fileId, fileName, page, section, text } of readFoundPassages(entry.output)) {
      sources.set(mark, {
        title: section === undefined ? fileName : `${fileName}, ${section}`,
        fileId,
        ...(page === undefined ? {} : { page }),
        quote: shortened(text, maxQuoteCharacters),
      });
    }
  }
  return sources;
}
