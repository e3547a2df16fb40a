// Run the service on port 8080. With `health` it asks a running one: the image has no curl.

import {create} from './service.js';

const PORT = 8080;

if (process.argv[2] === 'health') {
  const answer = await fetch(`http://127.0.0.1:${PORT}/health`, {signal: AbortSignal.timeout(2000)});
  process.exit(answer.ok ? 0 : 1);
}
const server = create();
server.listen(PORT, '0.0.0.0', () => console.log(`ecg-viewer answers on port ${PORT}`));
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => { // process 1 ignores them otherwise
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
