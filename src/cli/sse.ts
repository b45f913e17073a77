/** One frame of a stream of server-sent events. */
export interface Frame {
  /** The last id of the stream so far, including this frame's; empty while there was none. */
  id: string;
  event: string;
  /** Null when the frame only moves the id. */
  data: string | null;
}

/**
 * Reads the complete frames of a body (WHATWG HTML, 9.2.6), in order; one that is cut off is dropped.
 * Comments, which only keep the connection alive, are ignored.
 */
export async function* readFrames(body: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  let id = '';
  let event = '';
  let data: string[] = [];
  let rest = '';
  let hasId = false;
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
      const line = rest.slice(start, rest[end - 1] === '\r' ? end - 1 : end);
      start = end + 1;
      if (line === '') {
        if (data.length > 0 || hasId) {
          yield { id, event, data: data.length > 0 ? data.join('\n') : null };
        }
        event = '';
        data = [];
        hasId = false;
        continue;
      }
      const [, field, value = ''] = /^([^:]*):? ?(.*)$/su.exec(line) ?? [];
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
      else if (field === 'id') {
        id = value;
        hasId = true;
      }
    }
    rest = rest.slice(start);
  }
}
