// A fleet of one for measuring: plane and agent as an installation has them, each a process of its own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READY_MS = 60_000;
export const NODE_NAME = 'bench';

/** A program that can be stopped, killed and started again. */
export interface Service {
  readonly pid: () => number;
  /** Resolves when it says that it is ready. */
  readonly start: () => Promise<void>;
  /** Resolves when it has ended. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  readonly logFile: string;
}

/** A unit has no certificates but those of its fleet; reading more of them takes an agent longer than all else. */
const NOT_OF_A_UNIT = ['NODE_EXTRA_CA_CERTS', 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH'];
export const UNIT_ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !NOT_OF_A_UNIT.includes(name)),
);

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = READY_MS,
): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error(`not so after ${limitMs / 1000} s: ${what}`);
    await pause(20);
  }
}

/** `command` replaces its process (exec), so that the pid is Node's. */
export function service(
  command: string,
  args: readonly string[],
  logFile: string,
  readyText: string,
): Service {
  let child: ChildProcess | undefined;
  const log = () => readFileSync(logFile, 'utf8');
  return {
    logFile,
    pid: () => child?.pid ?? 0,
    start: async () => {
      const output = openSync(logFile, 'a');
      const seen = log().length;
      const started = spawn(command, args, { stdio: ['ignore', output, output], env: UNIT_ENVIRONMENT });
      child = started;
      await until(`${command} ${args[0]} is ready`, () => {
        if (started.exitCode !== null)
          throw new Error(`ended with ${started.exitCode}: ${log().slice(seen)}`);
        return log().slice(seen).includes(readyText);
      });
    },
    stop: async (signal = 'SIGTERM') => {
      const ending = child;
      child = undefined;
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
      const ended = new Promise((resolve) => ending.once('exit', resolve));
      ending.kill(signal);
      await ended;
    },
  };
}

export interface BenchFleet {
  /** All that it keeps: state, logs, the installation. */
  readonly folder: string;
  readonly kubeconfig: string;
  readonly agentDir: string;
  readonly planeDir: string;
  /** As on a machine: PREFIX/bin/fleetset, and Node and the bundle in PREFIX/lib/fleetset. */
  readonly prefix: string;
  readonly plane: Service;
  readonly agent: Service;
  readonly agentAddress: string;
  /** A machine more: it joins; its agent is started by who wants it. */
  readonly join: (nodeName: string, settings?: readonly string[]) => Service;
  readonly api: (method: string, path: string, body?: object, type?: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** Of the engine that DOCKER_HOST names, as for Docker's own client; else the machine's. */
export const dockerSocket = (): string =>
  /^unix:\/\/(.+)$/.exec(process.env.DOCKER_HOST ?? '')?.[1] ?? '/var/run/docker.sock';

/** Nobody has them at the moment; all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** `settings`: lines of agent.yaml. */
export async function startBenchFleet(settings: readonly string[] = []): Promise<BenchFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'fleetset-bench-'));
  const at = (name: string) => join(folder, name);
  const [kubeconfig, planeDir, agentDir] = [at('kubeconfig'), at('plane'), at('agent')];
  execFileSync('hack/install', ['--destdir', folder], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const prefix = at('usr/local');
  const command = join(prefix, 'bin/fleetset');
  const [apiPort = 0, agentPort = 0, localPort = 0] = await freePorts(3);
  const [apiAddress, agentAddress] = [`127.0.0.1:${apiPort}`, `127.0.0.1:${agentPort}`];
  const plane = service(
    command,
    [
      ...['plane', '--data-dir', planeDir, '--kubeconfig', kubeconfig, '--advertise', '127.0.0.1'],
      ...['--api-address', apiAddress, '--agent-address', agentAddress],
    ],
    at('plane.log'),
    'plane ready',
  );
  const agents: Service[] = [];
  // As the unit starts it, with a file of settings.
  const agentOf = (dataDir: string, configFile: string, lines: readonly string[]) => {
    writeFileSync(configFile, [`dataDir: ${dataDir}`, ...lines, ''].join('\n'));
    const added = service(
      command,
      ['agent', '--config', configFile],
      `${dataDir}.log`,
      'connected to the plane',
    );
    agents.push(added);
    return added;
  };
  const agent = agentOf(agentDir, at('etc/fleetset/agent.yaml'), [
    `localAddress: 127.0.0.1:${localPort}`,
    ...settings,
  ]);
  const run = (...args: string[]) => execFileSync(command, args, { encoding: 'utf8' });
  const joinAs = (nodeName: string, dataDir: string) => {
    const line = run('token', 'create', '--print-join-command', '--kubeconfig', kubeconfig).trim().split(' ');
    run(...line.slice(1), '--node-name', nodeName, '--data-dir', dataDir);
  };
  const close = async () => {
    await Promise.all(agents.map((each) => each.stop()));
    await plane.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await plane.start();
    joinAs(NODE_NAME, agentDir);
    await agent.start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...{ folder, kubeconfig, agentDir, planeDir, prefix, plane, agent, agentAddress, close },
    join: (nodeName, lines = []) => {
      const dataDir = at(nodeName);
      joinAs(nodeName, dataDir);
      return agentOf(dataDir, `${dataDir}.yaml`, lines);
    },
    api: apiOf(kubeconfig, apiPort),
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
  const agent = new Agent({ keepAlive: true, ...tls });
  return (method, path, body, type = 'application/json') =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port, path, method, agent, headers: { 'Content-Type': type } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const json = /json/.test(response.headers['content-type'] ?? '');
            const answer: unknown = json ? JSON.parse(text) : text;
            if ((response.statusCode ?? 500) < 300) resolve(answer);
            else reject(new Error(JSON.stringify(answer)));
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body ? JSON.stringify(body) : undefined);
    });
}
