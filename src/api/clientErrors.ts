import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type Server } from 'node:http';

import { docsOf } from '../schema/problem.ts';

/** The most bytes that path, query and headers of a request may have together. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** Answers with a problem (RFC 9457) to requests that the HTTP parser refuses, as they reach no route. */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [status, code, detail] =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? ([
            431,
            'headers_too_large',
            `Path, query and headers may have at most ${MAX_HEADER_BYTES} bytes together`,
          ] as const)
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? ([408, 'request_timeout', 'The headers of the request took too long'] as const)
          : ([400, 'malformed_request', 'This is not an HTTP request'] as const);
    const body = JSON.stringify({
      type: `urn:millrace:problem:${code}`,
      title: STATUS_CODES[status],
      status,
      detail,
      code,
      request_id: randomUUID(),
      docs: docsOf(code),
    });
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n` +
        `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
        `connection: close\r\n\r\n${body}`,
    );
  });
}
