/** The part of it that the demo uses; the package brings no types of its own. */
declare module 'd3-dsv' {
  /** RFC 4180 with a header line: one object a line, its values as text. */
  export function csvParse(text: string): Record<string, string>[];
}
