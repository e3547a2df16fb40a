// Send a made-up recording to a viewer: node test/send.js http://127.0.0.1:18082

import {beats, observation, samples} from './electrocardiogram.js';

const SECONDS = 10;
const shown = samples({times: beats(72, SECONDS), seconds: SECONDS, noise: 0.02, wander: 0.15});
const answer = await fetch(new URL('/recordings', process.argv[2]), {method: 'POST', body: JSON.stringify(observation(shown))});
console.log(answer.status, await answer.text());
process.exit(answer.ok ? 0 : 1);
