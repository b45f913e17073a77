/** Types for the part of the package that the demo uses; the package has none of its own. */
declare module 'd3-dsv' {
  /** Parses RFC 4180 with a header line into one object per line, whose values are strings. */
  export function csvParse(text: string): Record<string, string>[];
}
