// A plane that can be killed without warning, and started again on the same ports and data.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
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
  let ports = { apiPort: 0, agentPort: 0 };
  let child: ChildProcess | undefined;
  let dead: Promise<void> = Promise.resolve();

  const start = async () => {
    const started = spawn(
      process.execPath,
      [SCRIPT, dataDir, String(ports.apiPort), String(ports.agentPort)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    child = started;
    dead = new Promise((resolve) => started.once('close', () => resolve()));
    const line = await within(
      'the plane process is ready',
      new Promise<string>((resolve, reject) => {
        started.stdout.once('data', (text: Buffer) => resolve(String(text)));
        started.once('close', (code) => reject(new Error(`the plane ended with ${code}`)));
      }),
    );
    ports = JSON.parse(line);
  };

  await start();
  const api = createApiClient(() => ports.apiPort, await adminCredentials(dataDir));
  return {
    dataDir,
    get agentAddress() {
      return `127.0.0.1:${ports.agentPort}`;
    },
    api,
    apiPort: () => ports.apiPort,
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
