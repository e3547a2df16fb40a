// An electrocardiogram for tests: P, QRS and T waves as bell curves at known times. The same one every time.

const WAVES = [[-0.17, 0.025, 0.12], [-0.025, 0.008, -0.12], [0, 0.010, 1], [0.028, 0.009, -0.22], [0.25, 0.045, 0.28]];

export function beats(rate, seconds) {
  const times = [];
  for (let at = 0.5; at < seconds - 0.4; at += 60 / rate) times.push(at);
  return times;
}

/** Return millivolts. noise: half the width of a uniform distribution; wander: height of a slow sine. */
export function samples({times, seconds, perSecond = 250, height = 1, noise = 0, wander = 0}) {
  let seed = 20261130;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return Array.from({length: seconds * perSecond}, (_, index) => {
    const at = index / perSecond;
    let value = wander * Math.sin(2 * Math.PI * 0.25 * at) + noise * random();
    for (const beat of times) {
      if (Math.abs(at - beat) > 0.6) continue;
      for (const [offset, width, size] of WAVES) value += height * size * Math.exp(-(((at - beat - offset) / width) ** 2) / 2);
    }
    return value;
  });
}

/** Return the Observation in which a device sends them, with a factor of 0.001 mV. */
export function observation(millivolts, changed = {}, perSecond = 250) {
  const data = millivolts.map((each) => (each === null ? 'E' : Math.round(each * 1000))).join(' ');
  const sampled = {origin: {value: 0, unit: 'mV', code: 'mV'}, period: 1000 / perSecond, factor: 0.001, dimensions: 1, data};
  return {resourceType: 'Observation', status: 'final', code: {text: 'II'}, valueSampledData: {...sampled, ...changed}};
}
