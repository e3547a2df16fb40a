// R peaks, in the manner of Pan and Tompkins (IEEE Trans Biomed Eng 1985;32:230-236): slope, energy, a threshold that follows.

const WINDOW = 0.1; // seconds over which energy is averaged: about a QRS complex
const REFRACTORY = 0.25; // seconds: no ventricle contracts again sooner
const LEAST = 0.2; // millivolts from the trough to the peak of a QRS complex; what is smaller is noise
const SHARE = 0.3; // of the energy of recent beats that makes a new one

/** Return the indices of the R peaks. Across a gap (null) nothing is found: each stretch is judged by itself. */
export function find({rate, samples}) {
  const found = [];
  for (const [first, end] of stretches(samples)) {
    if (end - first >= rate) found.push(...inStretch(samples.slice(first, end), rate).map((index) => first + index));
  }
  return found;
}

/** Return the heart rate in beats a minute, or null when there are fewer than three beats without a gap between. */
export function heartRate({rate, samples}, peaks) {
  const gaps = [];
  for (let each = 1; each < peaks.length; each++) {
    if (!samples.slice(peaks[each - 1], peaks[each]).includes(null)) gaps.push(peaks[each] - peaks[each - 1]);
  }
  if (gaps.length < 2) return null;
  return Math.round((60 * rate) / median(gaps));
}

function* stretches(samples) {
  let first = 0;
  for (let index = 0; index <= samples.length; index++) {
    if (index < samples.length && samples[index] !== null) continue;
    if (index > first) yield [first, index];
    first = index + 1;
  }
}

function inStretch(samples, rate) {
  const energy = energies(samples, rate);
  const width = Math.round(WINDOW * rate);
  const refractory = Math.round(REFRACTORY * rate);
  let threshold = SHARE * median(highest(energy, rate));
  const peaks = [];
  for (let index = 1; index < energy.length - 1; index++) {
    if (energy[index] < threshold || energy[index] < energy[index - 1] || energy[index] <= energy[index + 1]) continue;
    const peak = top(samples, index - width, index + width);
    if (peaks.length && peak - peaks.at(-1) < refractory) continue;
    if (swing(samples, peak - width, peak + width) < LEAST) continue;
    peaks.push(peak);
    threshold = 0.75 * threshold + 0.25 * SHARE * energy[index];
  }
  return peaks;
}

// The slope, squared, averaged around each sample. The slope leaves out baseline wander, the square what is slow.
function energies(samples, rate) {
  const half = Math.max(1, Math.round((WINDOW * rate) / 2));
  const sums = [0];
  for (let index = 0; index < samples.length; index++) {
    const slope = index < 2 || index > samples.length - 3 ? 0 : samples[index + 2] - samples[index - 2];
    sums.push(sums.at(-1) + slope * slope);
  }
  return samples.map((_, index) => {
    const from = Math.max(0, index - half);
    const to = Math.min(samples.length, index + half + 1);
    return (sums[to] - sums[from]) / (to - from);
  });
}

// The highest energy of each second: most seconds have a beat, whatever its height.
function highest(energy, rate) {
  const seconds = [];
  for (let first = 0; first + rate <= energy.length; first += Math.round(rate)) {
    seconds.push(Math.max(...energy.slice(first, first + Math.round(rate))));
  }
  return seconds;
}

function top(samples, from, to) {
  let best = Math.max(0, from);
  for (let index = best; index < Math.min(samples.length, to + 1); index++) {
    if (samples[index] > samples[best]) best = index;
  }
  return best;
}

function swing(samples, from, to) {
  const around = samples.slice(Math.max(0, from), to + 1);
  return Math.max(...around) - Math.min(...around);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
