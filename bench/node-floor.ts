// How close a fleet comes to bare Docker, and how far Docker Swarm's global services are from it: start, update, kill,
// removal, many pods at once, a rolling update, a machine that joins. Each as a ratio to the same containers made by
// plain dockerode in the same run, on engines of its own. `node bench/node-floor.ts [ROUNDS] [PART...]`
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bareSide } from './src/bare-side.ts';
import { ROOT, startBenchFleet } from './src/bench-fleet.ts';
import { startCleanUp } from './src/clean-up.ts';
import { IMAGE_TAR, makeNextImage } from './src/exporter.ts';
import { compareJoins } from './src/floor-join.ts';
import { compareMany } from './src/floor-many.ts';
import { compareOne } from './src/floor-one.ts';
import { compareRolling } from './src/floor-rolling.ts';
import { startOwnEngine } from './src/own-engine.ts';
import { startSwarm } from './src/swarm-side.ts';

const [rounds = '9', ...parts] = process.argv.slice(2);
const wants = (part: string) => parts.length === 0 || parts.includes(part);
const ROUNDS = Number(rounds);
const NODES = 3;

const cleanUp = startCleanUp();
try {
  execFileSync('hack/images/build', ['node-exporter'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const folder = await mkdtemp(join(tmpdir(), 'fleetset-floor-'));
  cleanUp.add(() => rm(folder, { recursive: true, force: true }));
  const newEngine = async (name: string) => {
    const engine = await startOwnEngine(join(folder, name), [join(ROOT, IMAGE_TAR)]);
    cleanUp.add(engine.stop);
    await makeNextImage(engine.docker);
    return engine;
  };
  const settingsOf = (socketPath: string) => [`dockerSocket: ${socketPath}`];
  const engine = await newEngine('1');
  const fleet = await startBenchFleet(settingsOf(engine.socketPath));
  cleanUp.add(fleet.close);
  const swarm = await startSwarm(engine.docker);
  cleanUp.add(swarm.leave);
  const bare = bareSide(engine);
  console.log(
    `node-floor: ${ROUNDS} rounds, medians (quartiles), real node exporter on the host's network; x: of bare in the same run`,
  );
  if (wants('one')) await compareOne({ engine, fleet, bare, swarm: swarm.side, rounds: ROUNDS });
  if (wants('many')) await compareMany({ engine, fleet, bare, swarm: swarm.side, rounds: ROUNDS });
  await swarm.leave();
  if (wants('join') || wants('rolling')) {
    const more = [await newEngine('2'), await newEngine('3')];
    const [second] = more;
    if (second && wants('join')) await compareJoins({ engine: second, fleet, rounds: ROUNDS });
    if (wants('rolling')) {
      for (const [index, { socketPath }] of more.entries())
        await fleet.join(`bench-${index + 2}`, [...settingsOf(socketPath), 'localAddress: off']).start();
      await compareRolling({ engines: [engine, ...more], fleet, nodes: NODES, rounds: ROUNDS });
    }
  }
} finally {
  await cleanUp.run();
}
