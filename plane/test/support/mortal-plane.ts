// A plane that can be killed without warning, and started again on the same ports and data.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { keepPort } from '../../../hack/lib/kept-port.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { tempDir } from './temp-dir.ts';
import { adminCredentials } from './test-plane.ts';
import { within } from './until.ts';

const SCRIPT = fileURLToPath(new URL('./plane-process.ts', import.meta.url));

export interface MortalPlane {
  readonly dataDir: string;
  readonly agentAddress: string;
  readonly apiPort: () => number;
  readonly api: ApiClient;
  readonly pid: () => number;
  /** Sends the signal; `untilDead` waits for the end. */
  readonly kill: () => void;
  readonly untilDead: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function startMortalPlane(): Promise<MortalPlane> {
  const dataDir = tempDir();
  const [apiPort, agentPort] = [await keepPort(), await keepPort()];
  let child: ChildProcess | undefined;
  let dead: Promise<void> = Promise.resolve();

  const start = async () => {
    const started = spawn(process.execPath, [SCRIPT, dataDir, String(apiPort), String(agentPort)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = started;
    dead = new Promise((resolve) => started.once('close', () => resolve()));
    await within(
      'the plane process is ready',
      new Promise<void>((resolve, reject) => {
        started.stdout.once('data', () => resolve());
        started.once('close', (code) => reject(new Error(`the plane ended with ${code}`)));
      }),
    );
  };

  await start();
  const api = createApiClient(() => apiPort, await adminCredentials(dataDir));
  return {
    dataDir,
    agentAddress: `127.0.0.1:${agentPort}`,
    api,
    apiPort: () => apiPort,
    pid: () => child?.pid ?? 0,
    kill: () => void child?.kill('SIGKILL'),
    untilDead: () => within('the plane process ends', dead),
    start,
    close: async () => {
      api.close();
      child?.kill('SIGKILL');
      await dead;
    },
  };
}
