// An electrocardiogram out of a FHIR R4 Observation: one lead as SampledData (https://hl7.org/fhir/R4/datatypes.html#SampledData).

export const LONGEST = 60; // seconds
const SLOWEST = 100; // samples a second; below, R peaks cannot be placed
const FASTEST = 1000;
const LEAD = /^(I|II|III|aVR|aVL|aVF|V[1-6])$/;
const SAMPLE = /^-?[0-9]{1,6}$/;

/** Why a body is refused. Its text names fields, never values: values are patient data. */
export class Refused extends Error {}

/**
 * Return {lead, rate, samples}: samples a second, and millivolts. A sample that the device marked as an error ("E")
 * or as out of its range ("L", "U") is null: nothing is made up in its place.
 */
export function parse(text) {
  let given;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Refused('the body is not JSON');
  }
  if (given?.resourceType !== 'Observation') throw new Refused('resourceType: expected Observation');
  const lead = given.code?.text;
  if (typeof lead !== 'string' || !LEAD.test(lead)) throw new Refused('code.text: expected a lead, such as II or V1');
  const sampled = given.valueSampledData;
  if (typeof sampled !== 'object' || sampled === null) throw new Refused('valueSampledData: is missing');
  if (sampled.dimensions !== 1) throw new Refused('valueSampledData.dimensions: expected 1');
  if (sampled.origin?.code !== 'mV') throw new Refused('valueSampledData.origin.code: expected mV');
  const rate = 1000 / number(sampled.period, 'period');
  if (rate < SLOWEST || rate > FASTEST) {
    throw new Refused(`valueSampledData.period: expected ${1000 / FASTEST} to ${1000 / SLOWEST} ms`);
  }
  const factor = sampled.factor === undefined ? 1 : number(sampled.factor, 'factor');
  if (factor <= 0 || factor > 1) throw new Refused('valueSampledData.factor: expected above 0, at most 1');
  return {lead, rate, samples: samples(sampled.data, rate, factor, number(sampled.origin.value ?? 0, 'origin.value'))};
}

function number(value, name) {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Refused(`valueSampledData.${name}: expected a number`);
  return value;
}

function samples(data, rate, factor, origin) {
  if (typeof data !== 'string') throw new Refused('valueSampledData.data: is missing');
  const words = data.split(' ');
  if (words.length < 2 * rate || words.length > LONGEST * rate) {
    throw new Refused(`valueSampledData.data: expected 2 to ${LONGEST} seconds`);
  }
  return words.map((word) => {
    if (word === 'E' || word === 'L' || word === 'U') return null;
    if (!SAMPLE.test(word)) throw new Refused('valueSampledData.data: expected whole numbers, E, L and U, one blank between');
    return origin + Number(word) * factor;
  });
}
