// A plane in a process of its own, so that it can be killed. Says when it is ready.
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import { startPlane } from '../../src/plane.ts';

const [, , dataDir = '', apiPort = '0', agentPort = '0', graceMs = '600000'] = process.argv;
await startPlane({
  dataDir,
  api: { host: '127.0.0.1', port: Number(apiPort) },
  agents: { host: '127.0.0.1', port: Number(agentPort) },
  advertise: ['127.0.0.1'],
  nodeMonitorGraceMs: Number(graceMs),
  version: '0.0.0-test',
  logger: pino({ level: 'error' }, pino.destination(2)),
});
writeSync(1, 'ready\n');
