// A server in a process of its own, and its clients.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';

export interface Credentials {
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

export interface ApiProcess {
  readonly apiPort: number;
  readonly agentPort: number;
  readonly residentMiB: () => number;
  /** The answer's size. */
  readonly call: (method: string, path: string, body?: string, type?: string) => Promise<number>;
  /** Resolves once the answer begins; `onData` is called for what comes. */
  readonly watch: (path: string, onData: (bytes: number) => void) => Promise<() => void>;
  readonly stop: () => Promise<void>;
}

/** `script` says its ports in its first line. */
export async function startApiProcess(
  script: string,
  args: readonly string[],
  credentials: Credentials,
): Promise<ApiProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('close', (code) => reject(new Error(`${script} ended with ${code}`)));
  });
  const { apiPort, agentPort = 0 } = JSON.parse(line);
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });

  const send = (method: string, path: string, body: string | undefined, type: string, own: boolean) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers =
        body === undefined ? {} : { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) };
      const options = { ...credentials, host: '127.0.0.1', port: apiPort, method, path, headers };
      const outgoing = request({ ...options, agent: own ? new Agent() : agent }, resolve);
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  return {
    apiPort,
    agentPort,
    residentMiB: () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
    call: async (method, path, body, type = 'application/json') => {
      const response = await send(method, path, body, type, false);
      let size = 0;
      const texts: string[] = [];
      for await (const chunk of response) {
        size += (chunk as Buffer).length;
        if ((response.statusCode ?? 0) >= 300) texts.push(String(chunk));
      }
      if ((response.statusCode ?? 0) >= 300)
        throw new Error(`${method} ${path}: ${response.statusCode} ${texts.join('')}`);
      return size;
    },
    watch: async (path, onData) => {
      const response = await send('GET', path, undefined, '', true);
      response.on('data', (chunk: Buffer) => onData(chunk.length));
      response.on('error', () => {});
      return () => response.destroy();
    },
    stop: async () => {
      agent.destroy();
      child.kill('SIGTERM');
      await ended;
    },
  };
}
