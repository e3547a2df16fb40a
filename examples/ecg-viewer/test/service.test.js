import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {create, MOST_BYTES, MOST_KEPT} from '../src/service.js';
import {beats, observation, samples} from './electrocardiogram.js';

const RECORDING = observation(samples({times: beats(75, 10), seconds: 10}));
const lines = [];
let server;
let address;

before(async () => {
  server = create({log: (line) => lines.push(line), now: () => new Date('2026-03-01T12:00:00Z')});
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

const send = (body) => fetch(`${address}/recordings`, {method: 'POST', body: JSON.stringify(body)});

test('ECG-008 the page without a recording says so', async () => {
  assert.match(await (await fetch(address)).text(), /No recording has arrived yet/);
});

test('ECG-001 a recording is stored and read back', async () => {
  const answer = await send(RECORDING);
  assert.equal(answer.status, 201);
  const stored = await answer.json();
  assert.equal(stored.heartRate, 75);
  assert.deepEqual(await (await fetch(`${address}/recordings/${stored.id}`)).json(), stored);
});

test('ECG-008 the page shows heart rate, peaks and the line', async () => {
  const stored = await (await send(RECORDING)).json();
  const answer = await fetch(address);
  const text = await answer.text();
  assert.match(text, /<dd>75 \/min<\/dd>/);
  assert.equal(text.split('<circle').length - 1, stored.peaks.length);
  assert.match(text, /<path d="M0\.00/);
});

test('ECG-005 the page lifts its pen at a gap and counts what is missing', async () => {
  const shown = samples({times: beats(75, 10), seconds: 10});
  await send(observation(shown.map((each, index) => (index > 1000 && index < 1101 ? null : each))));
  const text = await (await fetch(address)).text();
  assert.match(text, /Samples missing<\/dt><dd>100</);
  assert.equal(/<path d="([^"]*)"/.exec(text)[1].split('M').length - 1, 2);
});

test('ECG-009 the page loads nothing and is kept in no cache', async () => {
  const answer = await fetch(address);
  assert.doesNotMatch(await answer.text(), /<script|src=|href=|url\(|@import/i);
  assert.match(answer.headers.get('content-security-policy'), /^default-src 'none';/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
});

test('ECG-006 a refused recording changes nothing', async () => {
  const before = await (await fetch(address)).text();
  assert.equal((await send({resourceType: 'Observation'})).status, 422);
  assert.equal(await (await fetch(address)).text(), before);
});

test('ECG-007 a body above the limit is refused', async () => {
  assert.equal((await send({...RECORDING, text: 'x'.repeat(MOST_BYTES)})).status, 413);
});

test('ECG-007 only the newest recordings are kept', async () => {
  const first = await (await send(RECORDING)).json();
  for (let each = 0; each < MOST_KEPT; each++) await send(RECORDING);
  assert.equal((await fetch(`${address}/recordings/${first.id}`)).status, 404);
});

test('ECG-010 the log has no lead, no sample and no refused text', async () => {
  await send({...RECORDING, code: {text: 'secret'}});
  assert.ok(lines.includes('recording stored: 13 peaks') || lines.includes('recording stored: 12 peaks'));
  assert.deepEqual(lines.filter((line) => !/^recording stored: [0-9]+ peaks$/.test(line)), []);
});

test('ECG-011 health is answered, unknown addresses are not', async () => {
  assert.deepEqual(await (await fetch(`${address}/health`)).json(), {status: 'ok'});
  for (const path of ['/nothing', '/recordings', '/recordings/..%2f..%2fetc%2fpasswd', '/__proto__', '/constructor']) {
    assert.equal((await fetch(`${address}${path}`)).status, 404);
  }
});
