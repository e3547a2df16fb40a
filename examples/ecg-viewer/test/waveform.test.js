import assert from 'node:assert/strict';
import {test} from 'node:test';

import {parse, Refused} from '../src/waveform.js';
import {observation} from './electrocardiogram.js';

const FLAT = new Array(1000).fill(0);

test('ECG-001 lead, rate and millivolts are read', () => {
  const found = parse(JSON.stringify(observation([1.5, -0.25, ...FLAT], {origin: {value: 0.5, code: 'mV'}})));
  assert.equal(found.lead, 'II');
  assert.equal(found.rate, 250);
  assert.deepEqual(found.samples.slice(0, 3), [2, 0.25, 0.5]);
});

test('ECG-005 samples that the device could not measure are missing, not zero', () => {
  const found = parse(JSON.stringify(observation(FLAT, {data: `E L U 7 ${'0 '.repeat(500).trim()}`})));
  assert.deepEqual(found.samples.slice(0, 4), [null, null, null, 0.007]);
});

const WRONG = {
  'another unit': {origin: {value: 0, code: 'uV'}},
  'no unit': {origin: {value: 0}},
  'no period': {period: undefined},
  'a period as text': {period: '4'},
  'a period of zero': {period: 0},
  'too few samples a second': {period: 11},
  'too many samples a second': {period: 0.5},
  'a factor of zero': {factor: 0},
  'a huge factor': {factor: 1e9},
  'two leads in one': {dimensions: 2},
  'no data': {data: undefined},
  'data as a list': {data: [1, 2]},
  'too short': {data: '1 2 3'},
  'too long': {data: '0 '.repeat(60 * 250 + 1).trim()},
  'a number in another notation': {data: `1e5 ${'0 '.repeat(600).trim()}`},
  'two blanks': {data: `1  2 ${'0 '.repeat(600).trim()}`},
};
for (const [name, changed] of Object.entries(WRONG)) {
  test(`ECG-006 refused: ${name}`, () => {
    assert.throws(() => parse(JSON.stringify(observation(FLAT, changed))), Refused);
  });
}

for (const [name, text] of Object.entries({
  'no JSON': '{', 'nothing': '', 'a list': '[]', 'null': 'null', 'another resource': '{"resourceType": "Patient"}',
  'deep nesting': '['.repeat(100_000),
  'a lead that is markup': JSON.stringify({...observation(FLAT), code: {text: '<b>II</b>'}}),
})) {
  test(`ECG-006 refused: ${name}`, () => {
    assert.throws(() => parse(text), Refused);
  });
}
