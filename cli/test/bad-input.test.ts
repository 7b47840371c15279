// The command itself with bad values: one clear line, exit code 2 for what was typed and 1 for what cannot be, no stack.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fleetset-bad-input-'));
const at = (name: string, text?: string): string => {
  const path = join(folder, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** A service that starts, when it should not, is stopped: then its exit code is 0. */
function fleetset(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    env: { PATH: process.env.PATH, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stdout.on('data', (chunk) => /ready|joined/.test(chunk) && child.kill('SIGTERM'));
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

const kubeconfigTo = (server: string): string => `
clusters: [{name: a, cluster: {server: ${JSON.stringify(server)}}}]
contexts: [{name: c, context: {cluster: a}}]
current-context: c
`;
const LOOPBACK = ['--api-address', '127.0.0.1:0', '--agent-address', '127.0.0.1:0'];
const up = (...more: string[]) => [
  'up',
  '--data-dir',
  at('up'),
  '--docker-socket',
  at('none'),
  ...LOOPBACK,
  ...more,
];
const plane = (...more: string[]) => ['plane', '--data-dir', at('plane'), ...LOOPBACK, ...more];
const joining = (...more: string[]) => [
  ...['join', '127.0.0.1:1', '--token', 'abcdef.0123456789abcdef', '--ca-hash', `sha256:${'a'.repeat(64)}`],
  ...more,
];
mkdirSync(at('directory'));
const aFile = at('file', '');
const anywhere = at('kubeconfig', kubeconfigTo('https://127.0.0.1:1'));
const nodeName = /node name "Foo_Bar": a lowercase RFC 1123 subdomain .*choose one with --node-name/;

// The limit is for a process on a busy machine.
describe.concurrent('bad input', () => {
  it.each<[string, readonly string[], number, RegExp]>([
    ['up with a name no node can have', up('--node-name', 'Foo_Bar'), 2, nodeName],
    ['up with a word too many', up('start'), 2, /unexpected "start"/],
    ['up on a file', ['up', '--data-dir', aFile], 1, /ENOTDIR/],
    [
      'up with no name to advertise',
      up('--advertise', ','),
      2,
      /--advertise: "" is not a name or an address/,
    ],
    [
      'up at an address of another machine',
      [...up(), '--agent-address', '192.0.2.1:0'],
      1,
      /agents cannot be listened for at 192\.0\.2\.1:0: listen EADDRNOTAVAIL/,
    ],
    ['up with a kubeconfig that is a directory', up('--kubeconfig', at('directory')), 1, /EISDIR/],
    ['join with a name no node can have', joining('--node-name', 'Foo_Bar'), 2, nodeName],
    ['join with a word too many', joining('now'), 2, /unexpected "now"/],
    ['agent with a word too many', ['agent', 'start'], 2, /unexpected "start"/],
    ['plane with a word too many', plane('start'), 2, /unexpected "start"/],
    [
      'plane with no grace',
      plane('--node-monitor-grace-period', '0'),
      2,
      /--node-monitor-grace-period: "0" must be from 1s to 576h/,
    ],
    [
      'plane with a grace that no timer holds',
      plane('--node-monitor-grace-period', '577h'),
      2,
      /--node-monitor-grace-period: "577h" must be from 1s to 576h/,
    ],
    [
      'plane with such a grace in its file',
      plane('--config', at('plane.yaml', 'nodeMonitorGracePeriod: 999ms')),
      2,
      /nodeMonitorGracePeriod: "999ms" must be from 1s to 576h/,
    ],
    [
      'plane that advertises an address with a port',
      plane('--advertise', 'plane:6443'),
      2,
      /--advertise: "plane:6443" is not a name or an address \(without a port\)/,
    ],
    [
      'plane whose API is nowhere for pods',
      plane('--advertise-api', 'plane:port'),
      2,
      /--advertise-api: "plane:port" is not HOST:PORT/,
    ],
    [
      'plane that advertises nothing',
      plane('--config', at('nothing.yaml', 'advertise: []')),
      2,
      /advertise: must hold at least one name/,
    ],
    [
      'a token for too long',
      ['token', 'create', '--ttl', '99999999999h', '--kubeconfig', anywhere],
      2,
      /--ttl: "99999999999h" must be from 0 to 876000h/,
    ],
    [
      'a token for less than no time',
      ['token', 'create', '--ttl', '-1s', '--kubeconfig', anywhere],
      2,
      /'--ttl' argument is ambiguous/,
    ],
    ['a word too many for token list', ['token', 'list', 'all'], 2, /unexpected "all"/],
    ['a flag that token list has not', ['token', 'list', '--ttl', '1h'], 2, /--ttl is for token create/],
    ['a token of no ID', ['token', 'delete', 'zz'], 2, /give the ID of the token/],
    ['no verb', ['token'], 2, /say what to do/],
    [
      'a kubeconfig that names no URL',
      ['token', 'list', '--kubeconfig', at('no-url', kubeconfigTo('here'))],
      2,
      /no-url: server: "here" is not https:\/\/HOST:PORT/,
    ],
    [
      'a kubeconfig without TLS',
      ['why', 'a', 'b', '--kubeconfig', at('no-tls', kubeconfigTo('http://127.0.0.1:1'))],
      2,
      /no-tls: server: "http:\/\/127\.0\.0\.1:1" is not https/,
    ],
    ['a kubeconfig that is a text', ['token', 'list', '--kubeconfig', at('text', 'x')], 2, /names no server/],
    ['why with a word too many', ['why', 'a', 'b', 'c'], 2, /unexpected "c"/],
    ['plan of nothing', ['plan'], 2, /give a file: fleetset plan -f FILE/],
    ['plan with a word too many', ['plan', 'web'], 2, /unexpected "web"/],
    ['plan of a file that is not there', ['plan', '-f', at('missing.yaml')], 2, /-f .*missing\.yaml: ENOENT/],
    ['plan of a directory', ['plan', '-f', at('directory')], 2, /-f .*directory: EISDIR/],
    ['plan of an empty file', ['plan', '-f', aFile], 1, /file holds no object/],
    ['plan of an empty input', ['plan', '-f', '-'], 1, /standard input holds no object/],
    [
      'plan of no YAML',
      ['plan', '-f', at('broken.yaml', 'kind: [')],
      1,
      /broken\.yaml, document 1: Flow sequence .* at line 1, column 8/,
    ],
    [
      'plan of a document without a kind',
      ['plan', '-f', at('no-kind.yaml', '---\napiVersion: v1')],
      1,
      /no-kind\.yaml, document 1: kind: Required value/,
    ],
    [
      'plan where no plane answers',
      ['plan', '-f', at('ds.yaml', 'apiVersion: apps/v1\nkind: DaemonSet'), '--kubeconfig', anywhere],
      1,
      /the plane at https:\/\/127\.0\.0\.1:1 cannot be reached/,
    ],
    [
      'a plane with a file of tokens that is none',
      plane('--token-auth-file', at('tokens.csv', 'secret,jane,7\nwhat')),
      1,
      /tokens\.csv, line 2: expected token,user,uid,"group,group"/,
    ],
    [
      'a plane with a file of tokens that is not there',
      plane('--token-auth-file', at('nowhere.csv')),
      1,
      /nowhere\.csv cannot be read: ENOENT/,
    ],
    [
      'a plane with an audit policy and no log',
      plane('--audit-policy-file', at('policy.yaml', '{}')),
      2,
      /--audit-policy-file: needs --audit-log-path/,
    ],
    [
      'a plane with an audit policy that is none',
      plane(
        ...['--audit-log-path', at('audit.log'), '--audit-policy-file'],
        at(
          'bad-policy.yaml',
          'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Everything, user: [a]}]',
        ),
      ),
      1,
      /bad-policy\.yaml: rules\[0\]\.user: unknown field; rules\[0\]\.level: Unsupported value: "Everything"/,
    ],
    [
      'a plane with an audit policy that is no YAML',
      plane('--audit-log-path', at('audit.log'), '--audit-policy-file', at('no.yaml', 'a: [')),
      1,
      /no\.yaml cannot be read: /,
    ],
    [
      'a plane with an audit log in no directory',
      plane('--audit-log-path', at('nowhere/audit.log')),
      1,
      /the audit log .*nowhere\/audit\.log cannot be opened: ENOENT/,
    ],
    [
      'a plane with an audit log of no size',
      plane('--audit-log-path', at('audit.log'), '--audit-log-maxsize', '100M'),
      2,
      /--audit-log-maxsize: "100M" is not a whole number from 0 on/,
    ],
    [
      'a plane with such a size in its file',
      plane('--config', at('audit.yaml', 'auditLogMaxSize: -1')),
      2,
      /auditLogMaxSize: -1 is not a whole number from 0 on/,
    ],
    ['a kubeconfig for no server', ['kubeconfig', '--server', 'here'], 2, /--server: "here" is not https/],
    ['a kubeconfig with a word too many', ['kubeconfig', 'now'], 2, /unexpected "now"/],
  ])('%s', async (_what, args, code, message) => {
    const ended = await fleetset(args);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    const own = ended.stderr.split('\n').filter((line) => line.startsWith('fleetset: '));
    expect(own).toHaveLength(1);
  });
});
