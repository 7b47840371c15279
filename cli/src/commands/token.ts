// fleetset token create | list | delete
import { randomInt } from 'node:crypto';
import { caHashOf } from '@fleetset/plane/identity/authority';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import { type ApiClient, ApiFailure, findKubeconfig, openApiClient } from '../api-client.ts';
import { parseDurationWithin, parseFlags, textFlag } from '../options.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command } from './command.ts';

const SECRETS = '/api/v1/namespaces/kube-system/secrets';
const INFO = '/api/v1/namespaces/kube-public/configmaps/fleetset-info';
const TYPE = 'bootstrap.kubernetes.io/token';
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** 0 is for ever; a date of more than four digits a year is none to Kubernetes. */
const TTL_RANGE = ['0', '876000h'] as const;

const FLAGS = {
  ttl: { type: 'string' },
  'print-join-command': { type: 'boolean' },
  kubeconfig: { type: 'string' },
} as const;

export const tokenCommand: Command = {
  help: `Usage: fleetset token create [--ttl 24h] [--print-join-command] | list | delete ID

  create                 makes a token and prints it
    --ttl DURATION       how long it is good for (default 24h, at most 876000h; 0: for ever)
    --print-join-command prints the whole line to run on a machine instead
  list                   shows the tokens there are
  delete ID              takes one back; machines that joined with it stay

  --kubeconfig FILE      how to reach the plane (default: $KUBECONFIG, then ~/.kube/config)`,
  run: async ({ args, environment, print }) => {
    const parsed = parseFlags(args, FLAGS, 2);
    const [verb, operand] = parsed.positionals;
    if (operand !== undefined && verb !== 'delete')
      throw new UsageError(`unexpected ${JSON.stringify(operand)}`);
    for (const flag of ['ttl', 'print-join-command'])
      if (parsed.values[flag] !== undefined && verb !== 'create')
        throw new UsageError(`--${flag} is for token create`);
    const connect = () => openApiClient(findKubeconfig(textFlag(parsed, 'kubeconfig'), environment));
    switch (verb) {
      case 'create': {
        const ttlMs = parseDurationWithin('--ttl', textFlag(parsed, 'ttl') ?? '24h', TTL_RANGE);
        const client = connect();
        const token = await createToken(client, ttlMs);
        print(parsed.values['print-join-command'] ? await joinLine(client, token) : token);
        return 0;
      }
      case 'list':
        return list(connect(), print);
      case 'delete': {
        const id = /^([a-z0-9]{6})(\.[a-z0-9]{16})?$/.exec(operand ?? '')?.[1];
        if (!id) throw new UsageError('give the ID of the token: six letters and digits');
        return remove(connect(), id, print);
      }
      default:
        throw new UsageError('say what to do: token create, token list or token delete ID');
    }
  },
};

/** `ttlMs` 0: for ever. */
export async function createToken(client: ApiClient, ttlMs: number): Promise<string> {
  const letters = (count: number) =>
    Array.from({ length: count }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  const id = letters(6);
  const secret = letters(16);
  const expiration = utcText(Date.now() + ttlMs);
  await client.call('POST', SECRETS, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `bootstrap-token-${id}` },
    type: TYPE,
    stringData: {
      'token-id': id,
      'token-secret': secret,
      'usage-bootstrap-authentication': 'true',
      ...(ttlMs > 0 ? { expiration } : {}),
    },
  });
  return `${id}.${secret}`;
}

async function joinLine(client: ApiClient, token: string): Promise<string> {
  const info = (await client.call('GET', INFO)) as { readonly data?: { readonly [key: string]: string } };
  const address = info.data?.agentAddress;
  if (!address)
    throw new CommandFailed(
      'the plane does not say where agents reach it (configmap kube-public/fleetset-info)',
    );
  return `fleetset join ${address} --token ${token} --ca-hash ${caHashOf(client.caCertificate)}`;
}

interface TokenSecret {
  readonly type?: string;
  readonly data?: { readonly [key: string]: string };
}

async function list(client: ApiClient, print: (line: string) => void): Promise<number> {
  const { items } = (await client.call('GET', SECRETS)) as { readonly items: readonly TokenSecret[] };
  const text = (secret: TokenSecret, key: string) =>
    Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  print(`${'ID'.padEnd(8)}EXPIRES`);
  for (const secret of items.filter(({ type }) => type === TYPE)) {
    const expiration = text(secret, 'expiration');
    const over = expiration !== '' && Date.parse(expiration) < Date.now();
    print(`${text(secret, 'token-id').padEnd(8)}${expiration || 'never'}${over ? ' (expired)' : ''}`);
  }
  return 0;
}

async function remove(client: ApiClient, id: string, print: (line: string) => void): Promise<number> {
  try {
    await client.call('DELETE', `${SECRETS}/bootstrap-token-${id}`);
  } catch (error) {
    if (error instanceof ApiFailure && error.code === 404) throw new CommandFailed(`there is no token ${id}`);
    throw error;
  }
  print(`token ${id} deleted`);
  return 0;
}
