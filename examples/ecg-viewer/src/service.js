// The HTTP interface. Recordings are kept in memory, the newest ones only.

import {randomUUID} from 'node:crypto';
import {createServer} from 'node:http';

import * as page from './page.js';
import {find, heartRate} from './peaks.js';
import {parse, Refused} from './waveform.js';

export const MOST_BYTES = 512 * 1024;
export const MOST_KEPT = 20;

/** Return a server that does not listen yet. `log` gets lines without patient data; `now` is a clock. */
export function create({log = console.log, now = () => new Date()} = {}) {
  const recordings = new Map();
  const routes = {
    'GET /': () => html(page.write([...recordings.values()].at(-1))),
    'GET /health': () => json(200, {status: 'ok'}),
    'POST /recordings': (body) => {
      const made = record(body, now());
      recordings.set(made.id, made);
      if (recordings.size > MOST_KEPT) recordings.delete(recordings.keys().next().value);
      log(`recording stored: ${made.peaks.length} peaks`);
      return json(201, summary(made));
    },
  };
  const server = createServer(async (request, response) => {
    const answer = await answered(request, routes, recordings, log);
    response.writeHead(answer.status, {...answer.headers, 'Content-Length': Buffer.byteLength(answer.text)});
    response.end(answer.text);
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  return server;
}

async function answered(request, routes, recordings, log) {
  const path = request.url.split('?')[0];
  const [, id] = /^\/recordings\/([0-9a-f-]{36})$/.exec(path) ?? [];
  try {
    if (request.method === 'GET' && id !== undefined) {
      return recordings.has(id) ? json(200, summary(recordings.get(id))) : json(404, {refused: 'no such recording'});
    }
    const route = routes[`${request.method} ${path}`];
    return route ? route(await bodyOf(request)) : json(404, {refused: 'no such address'});
  } catch (error) {
    if (error instanceof TooLong) return json(413, {refused: error.message});
    if (error instanceof Refused) return json(422, {refused: error.message});
    log(`request failed: ${error.name}`); // its text may quote a value
    return json(500, {refused: 'internal error'});
  }
}

class TooLong extends Error {}

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size <= MOST_BYTES) parts.push(part); // the rest is read and dropped, so that the answer arrives
    else if (size > 8 * MOST_BYTES) break;
  }
  if (size > MOST_BYTES) throw new TooLong(`a recording has at most ${MOST_BYTES} bytes`);
  return Buffer.concat(parts).toString('utf8');
}

function record(body, now) {
  const waveform = parse(body);
  const peaks = find(waveform);
  const gaps = waveform.samples.filter((each) => each === null).length;
  return {id: randomUUID(), ...waveform, peaks, heartRate: heartRate(waveform, peaks), gaps, received: now.toISOString()};
}

const summary = ({id, lead, rate, samples, peaks, heartRate, gaps, received}) =>
  ({id, lead, seconds: samples.length / rate, peaks: peaks.map((index) => index / rate), heartRate, gaps, received});

const html = (text) => ({status: 200, headers: page.HEADERS, text});

const json = (status, value) =>
  ({status, headers: {'Content-Type': 'application/json', 'Cache-Control': 'no-store'}, text: JSON.stringify(value)});
