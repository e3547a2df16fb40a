// The page: the newest recording, drawn at 25 mm a second and 10 mm a millivolt as on paper, its R peaks marked.

const MM_A_SECOND = 25;
const MM_A_MILLIVOLT = 10;
const HEIGHT = 40; // mm

export const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

const STYLE = `
:root { color-scheme: light; font: 16px/1.45 system-ui, sans-serif }
body { margin: 0 auto; padding: 1rem; max-width: 60rem }
h1 { font-size: 1.4rem; margin: 0 }
dl { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: 1rem 0 }
dt { opacity: .75 } dd { margin: 0; font-size: 1.3rem; font-weight: 600 } div { min-width: 6rem }
figure { margin: 0; overflow-x: auto; border: 1px solid #e0a0a0; background: #fff8f8 }
svg { display: block; height: 13rem; width: auto }
path { fill: none; stroke: #000; stroke-width: .3 }
.grid { stroke: #f0c4c4; stroke-width: .12 } circle { fill: #c62828 }
`;

/** Return the page of a recording {id, lead, rate, samples, peaks, heartRate, gaps, received}, or of none. */
export function write(recording) {
  const body = recording ? shown(recording) : '<p>No recording has arrived yet.</p>';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ECG viewer</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head>
<body><h1>ECG viewer</h1>${body}</body></html>
`;
}

function shown({lead, rate, samples, peaks, heartRate, gaps, received}) {
  const facts = {
    'Lead': lead,
    'Heart rate': heartRate === null ? 'not known' : `${heartRate} /min`,
    'R peaks': peaks.length,
    'Length': `${(samples.length / rate).toFixed(1)} s`,
    'Samples missing': gaps,
    'Received': received,
  };
  const listed = Object.entries(facts).map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`);
  return `<dl>${listed.join('')}</dl><figure>${drawn(rate, samples, peaks)}</figure>`;
}

function drawn(rate, samples, peaks) {
  const width = ((samples.length / rate) * MM_A_SECOND).toFixed(1);
  const x = (index) => ((index / rate) * MM_A_SECOND).toFixed(2);
  const y = (value) => (HEIGHT / 2 - Math.max(-2, Math.min(2, value)) * MM_A_MILLIVOLT).toFixed(2);
  let line = '';
  let pen = false; // off the paper at a gap: no line is drawn where nothing was measured
  samples.forEach((value, index) => {
    if (value !== null) line += `${pen ? 'L' : 'M'}${x(index)} ${y(value)}`;
    pen = value !== null;
  });
  let grid = '';
  for (let at = 0; at <= Number(width); at += 5) grid += `M${at} 0V${HEIGHT}`;
  for (let at = 0; at <= HEIGHT; at += 5) grid += `M0 ${at}H${width}`;
  const marks = peaks.map((index) => `<circle cx="${x(index)}" cy="${y(samples[index])}" r=".9"/>`).join('');
  return `<svg viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="electrocardiogram">` +
    `<path class="grid" d="${grid}"/><path d="${line}"/>${marks}</svg>`;
}

function escaped(value) {
  return String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
