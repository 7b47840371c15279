// A fleet of one for measuring: `fleetset up` from the bundle, or plane and agent as processes of their own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND = join(ROOT, 'dist', 'fleetset.js');
/** As the launcher in images and on machines starts an agent. */
const AGENT_FLAGS = ['--optimize-for-size', '--max-semi-space-size=1'];

export interface Service {
  readonly pid: number;
  readonly ready: Promise<void>;
  readonly stop: () => Promise<void>;
}

export function bundle(): void {
  execFileSync('npm', ['run', '-s', 'bundle'], { cwd: ROOT, stdio: 'inherit' });
}

function start(flags: readonly string[], args: readonly string[], readyText: RegExp): Service {
  const child: ChildProcess = spawn(process.execPath, [...flags, COMMAND, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ready = new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      output += chunk;
      if (readyText.test(output)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.on('exit', (code) => reject(new Error(`ended with ${code}: ${output}`)));
  });
  return {
    pid: child.pid ?? 0,
    ready,
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit');
        child.on('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

export interface BenchFleet {
  readonly kubeconfig: string;
  readonly plane: Service;
  readonly agent: Service;
  readonly api: (method: string, path: string, body?: object) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** Plane and agent as two processes, joined the way machines join. */
export async function startBenchFleet(): Promise<BenchFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetset-bench-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const planeDir = join(folder, 'plane');
  const agentDir = join(folder, 'agent');
  const [apiPort, agentPort] = [28_443, 28_444];
  const plane = start(
    [],
    [
      'plane',
      '--data-dir',
      planeDir,
      '--kubeconfig',
      kubeconfig,
      '--advertise',
      '127.0.0.1',
      '--api-address',
      `127.0.0.1:${apiPort}`,
      '--agent-address',
      `127.0.0.1:${agentPort}`,
    ],
    /plane ready/,
  );
  await plane.ready;
  const run = (...args: string[]) => execFileSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' });
  const line = run('token', 'create', '--print-join-command', '--kubeconfig', kubeconfig).trim().split(' ');
  run(...line.slice(1), '--node-name', 'bench', '--data-dir', agentDir);
  const agent = start(AGENT_FLAGS, ['agent', '--data-dir', agentDir], /connected to the plane/);
  await agent.ready;
  return {
    kubeconfig,
    plane,
    agent,
    api: apiOf(kubeconfig, apiPort),
    close: async () => {
      await agent.stop();
      await plane.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One connection that stays open, as a client library keeps one. */
function apiOf(kubeconfig: string, port: number): BenchFleet['api'] {
  const text = readFileSync(kubeconfig, 'utf8');
  const pem = (field: string) =>
    Buffer.from(new RegExp(`${field}: (\\S+)`).exec(text)?.[1] ?? '', 'base64').toString();
  const tls = {
    ca: pem('certificate-authority-data'),
    cert: pem('client-certificate-data'),
    key: pem('client-key-data'),
  };
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port, path, method, ...tls, headers: { 'Content-Type': 'application/json' } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const answer: unknown = JSON.parse(Buffer.concat(chunks).toString());
            if ((response.statusCode ?? 500) < 300) resolve(answer);
            else reject(new Error(JSON.stringify(answer)));
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body ? JSON.stringify(body) : undefined);
    });
}
