import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 256;
const FREQUENT = 176;

/**
 * The same picture with a palette of 256 of its colours, about half as many bytes. Takes
 * what a browser's screenshot is: 8 bits a channel, RGB or RGBA, not interlaced; else throws.
 */
export function toPalette(png: Buffer): Buffer {
  const { width, height, channels, rows } = decode(png);
  const counts = new Map<number, number>();
  const pixels = new Uint32Array(width * height);
  for (let pixel = 0; pixel < pixels.length; pixel += 1) {
    const at = pixel * channels;
    const colour = ((rows[at] ?? 0) << 16) | ((rows[at + 1] ?? 0) << 8) | (rows[at + 2] ?? 0);
    pixels[pixel] = colour;
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const palette = choose(counts);
  const indexes = new Map([...counts.keys()].map((colour) => [colour, nearest(palette, colour)]));
  const lines = Buffer.alloc(height * (width + 1)); // each begins with filter 0
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      lines[y * (width + 1) + 1 + x] = indexes.get(pixels[y * width + x] ?? 0) ?? 0;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3], 8); // bits, indexed
  const colours = Buffer.from(palette.flatMap((one) => [one >> 16, (one >> 8) & 255, one & 255]));
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The most frequent ones, then those that are farthest from all so far: a rare hue keeps its own. */
function choose(counts: Map<number, number>): number[] {
  const colours = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
  const palette = colours.slice(0, FREQUENT);
  const rest = colours.slice(FREQUENT).map((colour) => {
    return { colour, far: distance(colour, palette[nearest(palette, colour)] ?? 0) };
  });
  while (palette.length < COLOURS && rest.length > 0) {
    const farthest = rest.reduce((best, one) => (one.far > best.far ? one : best));
    if (farthest.far === 0) break;
    palette.push(farthest.colour);
    for (const one of rest) one.far = Math.min(one.far, distance(one.colour, farthest.colour));
  }
  return palette;
}

function nearest(palette: number[], colour: number): number {
  let best = 0;
  let least = Infinity;
  for (const [index, one] of palette.entries()) {
    const far = distance(one, colour);
    if (far >= least) continue;
    least = far;
    best = index;
  }
  return best;
}

function distance(one: number, other: number): number {
  const red = (one >> 16) - (other >> 16);
  const green = ((one >> 8) & 255) - ((other >> 8) & 255);
  const blue = (one & 255) - (other & 255);
  return red * red + green * green + blue * blue;
}

function decode(png: Buffer) {
  const parts: Buffer[] = [];
  let head: Buffer | null = null;
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') head = data;
    if (type === 'IDAT') parts.push(data);
    at += length + 12;
  }
  const channels = head?.[9] === 2 ? 3 : head?.[9] === 6 ? 4 : 0;
  if (head === null || head[8] !== 8 || channels === 0 || head[12] !== 0) {
    throw new Error('This is no PNG of 8-bit RGB or RGBA without interlacing');
  }
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  return {
    width,
    height,
    channels,
    rows: unfilter(inflateSync(Buffer.concat(parts)), width * channels, channels),
  };
}

/** PNG specification, 9.2: each byte is stored as its difference from a neighbour. */
function unfilter(data: Buffer, stride: number, channels: number): Buffer {
  const height = data.length / (stride + 1);
  const rows = Buffer.alloc(height * stride);
  for (let y = 0; y < height; y += 1) {
    const filter = data[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const to = y * stride + x;
      const left = x < channels ? 0 : (rows[to - channels] ?? 0);
      const up = y === 0 ? 0 : (rows[to - stride] ?? 0);
      const corner = x < channels || y === 0 ? 0 : (rows[to - stride - channels] ?? 0);
      const guess =
        filter === 1
          ? left
          : filter === 2
            ? up
            : filter === 3
              ? (left + up) >> 1
              : filter === 4
                ? paeth(left, up, corner)
                : 0;
      rows[to] = (data[y * (stride + 1) + 1 + x] ?? 0) + guess;
    }
  }
  return rows;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const made = Buffer.alloc(named.length + 8);
  made.writeUInt32BE(data.length, 0);
  made.set(named, 4);
  made.writeUInt32BE(crc32(named), named.length + 4);
  return made;
}
