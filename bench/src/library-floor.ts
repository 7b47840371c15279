// Only the libraries that an agent is made of, each as far as it cannot do without: an open TLS connection to the plane,
// the engine's events, one line of log. Started in the agent's place by bench/footprint.ts.
import { readIdentity } from '@fleetset/agent/identity/identity-files';
import { NodeServiceClient } from '@fleetset/proto/gen/fleetset/v1/node';
import { credentials } from '@grpc/grpc-js';
import Docker from 'dockerode';
import { pino } from 'pino';

// As the agent is called: its identity is in the directory. `all` loads systeminformation too.
const [, directory = '', all] = process.argv.slice(2);
const identity = await readIdentity(directory);
if (!identity) throw new Error(`there is no identity in ${directory}`);
const docker = new Docker();
const events = await docker.getEvents({ filters: JSON.stringify({ label: ['bench=floor'] }) });
events.resume();
const secure = credentials.createSsl(
  Buffer.from(identity.caCertificate),
  Buffer.from(identity.key),
  Buffer.from(identity.certificate),
);
const client = new NodeServiceClient(identity.planeAddress, secure, {
  'grpc.ssl_target_name_override': 'plane.fleetset.internal',
});
await new Promise<void>((resolve, reject) => {
  client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve()));
});
if (all) await (await import('systeminformation')).default.osInfo();
pino({ base: {} }, pino.destination({ fd: 1, sync: true })).info('all is loaded');
setInterval(() => {}, 1e6);
