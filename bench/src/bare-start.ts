// A process that does nothing but make and start one container by dockerode: what a machine that joins is compared
// with. `node bare-start.js SOCKET NAME`
import Docker from 'dockerode';
import { containerOf, IMAGE } from './exporter.ts';

const [socketPath = '', name = ''] = process.argv.slice(2);
const container = await new Docker({ socketPath }).createContainer(containerOf(name, IMAGE));
await container.start();
