/** Pictures as text: the little of SVG that ours need. Sizes and places are pixels. */

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export interface Label {
  readonly x: number;
  readonly y: number;
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly colour?: string;
  /** Degrees, clockwise. */
  readonly turned?: number;
  readonly weight?: 'bold';
  /** Of one width, blanks kept. */
  readonly font?: 'monospace';
}

export function label(text: string, { x, y, size = 11, anchor = 'start', colour = '#222', ...more }: Label): string {
  const { turned, weight, font } = more;
  const looks = [
    `x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" fill="${colour}"`,
    ...(weight === undefined ? [] : [`font-weight="${weight}"`]),
    ...(font === undefined ? [] : [`font-family="${font}" xml:space="preserve"`]),
    ...(turned === undefined ? [] : [`transform="rotate(${turned} ${x} ${y})"`]),
  ];
  return `<text ${looks.join(' ')}>${escaped(text)}</text>`;
}

export const box = (x: number, y: number, width: number, height: number, fill: string): string =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}"/>`;

export const dot = (x: number, y: number, radius: number, fill: string): string =>
  `<circle cx="${x}" cy="${y}" r="${radius}" fill="${fill}"/>`;

/** A line through points. */
export function line(points: readonly (readonly [number, number])[], colour: string, width = 1): string {
  const through = points.map(([x, y]) => `${x},${y}`).join(' ');
  return `<polyline points="${through}" fill="none" stroke="${colour}" stroke-width="${width}"/>`;
}

const SVG = 'xmlns="http://www.w3.org/2000/svg" font-family="Helvetica, Arial, sans-serif"';

/** A picture. `title` is read aloud where it cannot be looked at. */
export const picture = (title: string, width: number, height: number, parts: readonly string[]): string =>
  [
    `<svg ${SVG} width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<title>${escaped(title)}</title>`,
    box(0, 0, width, height, '#ffffff'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
