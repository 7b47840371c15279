// Speaks to the plane's API with a kubeconfig, as kubectl does.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { requireServer } from './options.ts';
import { CommandFailed, UsageError } from './usage-error.ts';

export interface ApiClient {
  readonly caCertificate: string;
  readonly server: string;
  /** A PATCH is a merge patch. Answers the body; throws CommandFailed with the plane's message. */
  readonly call: (
    method: string,
    path: string,
    body?: object,
    onWarning?: (warning: string) => void,
  ) => Promise<unknown>;
}

export class ApiFailure extends CommandFailed {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

const TIMEOUT_MS = 20_000;

/** The flag, then $KUBECONFIG, then the places where one is written. */
export function findKubeconfig(flag: string | undefined, environment: NodeJS.ProcessEnv): string {
  return flag ?? (environment.KUBECONFIG?.split(':')[0] || join(homedir(), '.kube', 'config'));
}

interface KubeconfigEntry {
  readonly [field: string]: string | undefined;
}

/** `dialled`: the API's address from here, where it is another than the kubeconfig names. */
export function openApiClient(kubeconfigPath: string, dialled?: string): ApiClient {
  const config = readKubeconfig(kubeconfigPath);
  const context = pick(config.contexts, config['current-context'])?.context as KubeconfigEntry | undefined;
  const cluster = pick(config.clusters, context?.cluster)?.cluster as KubeconfigEntry | undefined;
  const user = pick(config.users, context?.user)?.user as KubeconfigEntry | undefined;
  const server = cluster?.server;
  if (!server) throw new UsageError(`${kubeconfigPath}: the current context names no server`);
  requireServer(`${kubeconfigPath}: server`, String(server));
  const pem = (entry: KubeconfigEntry | undefined, field: string): string | undefined => {
    const data = entry?.[`${field}-data`];
    if (data) return Buffer.from(data, 'base64').toString('utf8');
    const file = entry?.[field];
    return file ? readFileSync(resolve(dirname(kubeconfigPath), file), 'utf8') : undefined;
  };
  const tls = {
    ca: pem(cluster, 'certificate-authority'),
    cert: pem(user, 'client-certificate'),
    key: pem(user, 'client-key'),
  };
  return {
    server,
    caCertificate: tls.ca ?? '',
    call: (...request) => send(dialled ?? server, tls, ...request),
  };
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly [list: string]: unknown;
}

function readKubeconfig(path: string): Kubeconfig {
  try {
    return (parse(readFileSync(path, 'utf8')) ?? {}) as Kubeconfig;
  } catch (error) {
    throw new UsageError(
      `no kubeconfig can be read from ${path}: ${(error as Error).message}. Give one with --kubeconfig, or set KUBECONFIG; the plane writes it where its own --kubeconfig says`,
    );
  }
}

const pick = (list: unknown, name: unknown): { readonly [field: string]: unknown } | undefined =>
  Array.isArray(list) ? list.find((entry) => entry?.name === name) : undefined;

function send(
  server: string,
  tls: {
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
  },
  method: string,
  path: string,
  body?: object,
  onWarning?: (warning: string) => void,
): Promise<unknown> {
  const url = new URL(path, server);
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return new Promise((settle, reject) => {
    const outgoing = request(
      url,
      { method, ...tls, agent: false, timeout: TIMEOUT_MS, headers: { 'Content-Type': contentType } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const code = response.statusCode ?? 0;
          const answer = parseAnswer(text);
          for (const warning of response.headersDistinct.warning ?? []) onWarning?.(warningText(warning));
          if (code < 300) settle(answer);
          else
            reject(new ApiFailure(code, answer.reason ?? '', answer.message ?? `the plane answered ${code}`));
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    outgoing.on('error', (error) =>
      reject(new CommandFailed(`the plane at ${server} cannot be reached: ${error.message}`)),
    );
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Of `299 - "text"`. */
function warningText(header: string): string {
  try {
    return JSON.parse(header.replace(/^\d+ \S+ /, '')) as string;
  } catch {
    return header;
  }
}

function parseAnswer(text: string): { readonly reason?: string; readonly message?: string } {
  try {
    return JSON.parse(text) as { reason?: string; message?: string };
  } catch {
    return { message: text.slice(0, 200) };
  }
}
