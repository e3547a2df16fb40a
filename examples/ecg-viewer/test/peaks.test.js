import assert from 'node:assert/strict';
import {test} from 'node:test';

import {find, heartRate} from '../src/peaks.js';
import {beats, samples} from './electrocardiogram.js';

const SECONDS = 20;
const TOLERANCE = 0.02; // seconds; half of a small square on paper

function check(times, options) {
  const recording = {rate: options.perSecond ?? 250, samples: samples({times, seconds: SECONDS, ...options})};
  const peaks = find(recording);
  assert.equal(peaks.length, times.length);
  peaks.forEach((peak, each) => assert.ok(Math.abs(peak / recording.rate - times[each]) <= TOLERANCE));
  return heartRate(recording, peaks);
}

for (const rate of [30, 60, 75, 150, 200]) {
  test(`ECG-002 every R peak is found at ${rate} a minute`, () => {
    assert.ok(Math.abs(check(beats(rate, SECONDS), {}) - rate) <= 1);
  });
}

for (const perSecond of [100, 500, 1000]) {
  test(`ECG-002 every R peak is found in ${perSecond} samples a second`, () => {
    check(beats(70, SECONDS), {perSecond});
  });
}

test('ECG-003 noise and a wandering baseline add no peak and hide none', () => {
  check(beats(75, SECONDS), {noise: 0.05, wander: 0.6});
});

test('ECG-003 small and large complexes are found', () => {
  check(beats(75, SECONDS), {height: 0.35});
  check(beats(75, SECONDS), {height: 2});
});

test('ECG-004 a flat line has no peak and no heart rate', () => {
  const recording = {rate: 250, samples: samples({times: [], seconds: SECONDS})};
  assert.deepEqual(find(recording), []);
  assert.equal(heartRate(recording, []), null);
});

test('ECG-004 noise alone has no peak', () => {
  assert.deepEqual(find({rate: 250, samples: samples({times: [], seconds: SECONDS, noise: 0.09})}), []);
});

test('ECG-005 nothing is found in a gap, and no interval leads across it', () => {
  const times = beats(60, SECONDS);
  const shown = samples({times, seconds: SECONDS});
  const recording = {rate: 250, samples: shown.map((each, index) => (index >= 2000 && index < 3000 ? null : each))};
  const peaks = find(recording);
  assert.equal(peaks.filter((peak) => peak >= 2000 && peak < 3000).length, 0);
  assert.equal(peaks.length, times.filter((at) => at < 8 || at > 12).length);
  assert.equal(heartRate(recording, peaks), 60);
});

test('ECG-005 a stretch that is too short to judge has no peak', () => {
  const shown = samples({times: beats(60, SECONDS), seconds: SECONDS});
  assert.deepEqual(find({rate: 250, samples: shown.map((each, index) => (index % 200 === 0 ? null : each))}), []);
});
