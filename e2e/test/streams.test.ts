// exec, attach, cp and port-forward as people type them, with every kubectl of this machine, on a real fleet.
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { addressOf, apply, fleet, inNode, KUBECONFIG, kubectl } from '../src/fleet.ts';
import { type Client, streamingClients } from '../src/kubectl-versions.ts';
import { BUSYBOX } from '../src/manifests.ts';
import { begin as beginRun, type Ran, type Running, type RunOptions, tryRun } from '../src/run.ts';

const NAMESPACE = 'streams';
const NODE = 'node1';
const MB = 1024 * 1024;

const clients = await streamingClients();
const newest = clients.at(-1)?.[1] as Client;

const podSpec = (hostNetwork: boolean, web: number, count: number) => ({
  hostNetwork,
  terminationGracePeriodSeconds: 0,
  containers: [
    {
      name: 'main',
      image: BUSYBOX,
      // A page for its own localhost alone, and a port that answers with how much it was sent, once that has ended.
      command: [
        'sh',
        '-c',
        `mkdir -p /www; echo "here is $(hostname)" > /www/index.html; dd if=/dev/urandom of=/www/large bs=1M count=1 2> /dev/null
         httpd -p 127.0.0.1:${web} -h /www; nc -ll -p ${count} -e sh -c 'wc -c' &
         i=0; while true; do i=$((i+1)); echo "tick $i"; sleep 0.2; done`,
      ],
    },
    {
      name: 'listener',
      image: BUSYBOX,
      stdin: true,
      command: ['sh', '-c', 'while read line; do echo "heard $line"; done; sleep 1000000'],
    },
  ],
});
const manifest = (name: string, spec: object) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace: NAMESPACE },
  spec: { selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec } },
});

let folder: string;
let pod: string;
let hostPod: string;
let large: string;
let largeHash: string;

const podOf = async (app: string) =>
  kubectl(
    ...['get', 'pods', '-n', NAMESPACE, '-l', `app=${app}`, '--field-selector', `spec.nodeName=${NODE}`],
    ...['-o', 'jsonpath={.items[0].metadata.name}'],
  );
const hashOf = async (path: string) => (await tryRun('sha256sum', [path])).stdout.split(' ')[0] ?? '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetset-streams-'));
  large = join(folder, 'large');
  await writeFile(large, randomBytes(16 * MB));
  largeHash = await hashOf(large);
  await kubectl('create', 'namespace', NAMESPACE);
  await apply(manifest('shell', podSpec(false, 8080, 9000)));
  await apply(manifest('host', podSpec(true, 8180, 9180)));
  for (const name of ['shell', 'host'])
    await kubectl('rollout', 'status', '-n', NAMESPACE, `ds/${name}`, '--timeout=180s');
  pod = await podOf('shell');
  hostPod = await podOf('host');
});
afterAll(async () => {
  await kubectl('delete', 'namespace', NAMESPACE, '--timeout=180s');
  await rm(folder, { recursive: true });
});

const words = (args: readonly string[]) => ['-n', NAMESPACE, ...args];
const run = ({ path, env }: Client, args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  tryRun(path, words(args), { ...options, env: { ...env, KUBECONFIG } });
/** In a shell, for pipes, redirections and terminals; KUBECTL is the client. */
const inShell = ({ path, env }: Client, script: string, options: RunOptions = {}): Promise<Ran> =>
  tryRun('bash', ['-c', script], {
    ...options,
    env: { ...env, KUBECONFIG, KUBECTL: [path, ...words([])].join(' ') },
  });
const inMain = (script: string) => ['exec', pod, '-c', 'main', '--', 'sh', '-c', script];

const begin = ({ path, env }: Client, args: readonly string[], input = false): Running =>
  beginRun(path, words(args), { env: { ...env, KUBECONFIG }, input });

/** The lines of ps in the container that have this in them. */
const processes = async (what: string) =>
  (await run(newest, ['exec', pod, '-c', 'main', '--', 'ps'])).stdout
    .split('\n')
    .filter((line) => line.includes(what));

describe.each(clients)('%s', (_name, client) => {
  it('exec keeps the streams apart and ends with the command’s exit code', async () => {
    const failing = await run(client, inMain('echo "out $0"; echo err >&2; exit 3'));
    expect(failing).toEqual({
      code: 3,
      stdout: 'out sh\n',
      stderr: 'err\ncommand terminated with exit code 3\n',
    });
    expect(await run(client, ['exec', pod, '-c', 'main', '--', 'echo', 'a b', '$x', '&ü%'])).toEqual({
      code: 0,
      stdout: 'a b $x &ü%\n',
      stderr: '',
    });
    const missing = await run(client, ['exec', pod, '-c', 'main', '--', 'no-such-program']);
    expect(missing.code).toBe(126);
    expect(missing.stdout + missing.stderr).toMatch(/no-such-program.*not found/);
  });

  it('exec -i takes input up to its end, 16 MB of anything both ways', async () => {
    const { stdout } = await run(
      client,
      ['exec', '-i', pod, '-c', 'main', '--', 'sh', '-c', 'cat; echo over'],
      {
        input: 'one\ntwo\n',
      },
    );
    expect(stdout).toBe('one\ntwo\nover\n');
    const back = await inShell(
      client,
      `$KUBECTL exec -i ${pod} -c main -- sh -c 'tee /tmp/up' < ${large} | sha256sum;
       $KUBECTL exec ${pod} -c main -- sha256sum /tmp/up`,
    );
    expect(back.stdout.match(/[0-9a-f]{64}/g)).toEqual([largeHash, largeHash]);
  });

  it('exec -it has a terminal of the client’s size, follows its changes and passes keys on', async () => {
    const mark = `/tmp/first-${randomBytes(4).toString('hex')}`;
    const has = (size: string) => `until [ "$(stty size)" = "${size}" ]; do sleep 0.1; done`;
    const watch = `${has('33 97')}; echo first; touch ${mark}; ${has('44 111')}; echo second; exit 5`;
    // kubectl drops a change that comes while it is busy with another: it is changed until it is seen.
    const script = `stty rows 33 cols 97
      (until $KUBECTL exec ${pod} -c main -- test -e ${mark}; do :; done
        while stty rows 43 cols 110 && stty rows 44 cols 111; do sleep 0.3; done) < /dev/tty > /dev/null 2>&1 &
      $KUBECTL exec -it ${pod} -c main -- sh -c '${watch}'`;
    await writeFile(join(folder, 'session.sh'), script);
    const resized = await inShell(client, `script -qec 'bash ${folder}/session.sh' /dev/null < /dev/null`);
    expect(resized.stdout).toMatch(/first.*second/s);
    expect(resized.code).toBe(5);
    // Ctrl-C reaches the command, not kubectl.
    const catches = `trap "echo caught; exit 6" INT; touch ${mark}c; while :; do sleep 0.1; done`;
    await writeFile(join(folder, 'keys.sh'), `$KUBECTL exec -it ${pod} -c main -- sh -c '${catches}'`);
    const keys = await inShell(
      client,
      `rm -f ${folder}/keys; mkfifo ${folder}/keys
       script -qec 'bash ${folder}/keys.sh' /dev/null < ${folder}/keys & exec 3> ${folder}/keys
       until $KUBECTL exec ${pod} -c main -- test -e ${mark}c 2> /dev/null; do :; done
       printf '\\003' >&3; wait %1`,
    );
    expect(keys.stdout).toContain('caught');
    expect(keys.code).toBe(6);
  });

  it('cp brings files and folders there and back', async () => {
    const there = `/tmp/cp-${randomBytes(4).toString('hex')}`;
    const made = await inShell(
      client,
      `mkdir -p ${folder}/tree/deep && cp ${large} ${folder}/tree/deep/large && echo small > ${folder}/tree/small
       rm -rf ${folder}/back && $KUBECTL cp -c main ${folder}/tree ${pod}:${there} &&
       $KUBECTL cp -c main ${pod}:${there} ${folder}/back`,
    );
    expect(made.code, made.stderr).toBe(0);
    expect(await hashOf(join(folder, 'back/deep/large'))).toBe(largeHash);
    expect(await readFile(join(folder, 'back/small'), 'utf8')).toBe('small\n');
    expect((await run(client, inMain(`sha256sum ${there}/deep/large; rm -rf ${there}`))).stdout).toContain(
      largeHash,
    );
  });

  it('attach shows what the container writes from now on, and gives it input', async () => {
    const watching = begin(client, ['attach', pod, '-c', 'main']);
    await eventually('two ticks', () => (watching.said().match(/tick \d+/g) ?? []).length >= 2);
    await watching.stop();
    const line = randomBytes(6).toString('hex');
    const talking = begin(client, ['attach', '-i', pod, '-c', 'listener'], true);
    talking.child.stdin?.write(`${line}\n`);
    await eventually('it answers', () => talking.said().includes(`heard ${line}`));
    await talking.stop();
    expect((await run(client, ['logs', pod, '-c', 'listener', '--tail=1'])).stdout).toBe(`heard ${line}\n`);
  });

  it('port-forward reaches what listens on the pod’s localhost, many times at once, and ends halves', async () => {
    const forwarding = begin(client, ['port-forward', pod, ':8080', ':9000']);
    const portTo = (remote: number) =>
      eventually(
        'forwarding',
        () =>
          Number(new RegExp(`127\\.0\\.0\\.1:(\\d+) -> ${remote}`).exec(forwarding.said())?.[1] ?? 0) ||
          undefined,
      );
    const web = await portTo(8080);
    expect(await (await fetch(`http://127.0.0.1:${web}/`)).text()).toBe(`here is ${pod}\n`);
    const wanted = (await run(client, inMain('sha256sum /www/large'))).stdout.slice(0, 64);
    const many = await tryRun('bash', [
      '-c',
      `for i in $(seq 60); do curl -s http://127.0.0.1:${web}/large | sha256sum & done; wait`,
    ]);
    expect(many.stdout).toBe(`${wanted}  -\n`.repeat(60));
    expect(await countThere(await portTo(9000))).toBe(16 * MB);
    await forwarding.stop();
    const refused = begin(client, ['port-forward', pod, ':81']);
    const nobody = await eventually('forwarding', () => /127\.0\.0\.1:(\d+) ->/.exec(refused.said())?.[1]);
    await fetch(`http://127.0.0.1:${nobody}/`).catch(() => {});
    await eventually('it is said', () => refused.said().includes('inside the pod: connection refused'));
    await refused.stop();
  });

  it('logs of all containers, since a time, and no more than some bytes', async () => {
    const logs = async (...flags: string[]) => (await run(client, ['logs', pod, ...flags])).stdout;
    expect(await logs('-c', 'main', '--limit-bytes=7')).toBe('tick 1\n');
    expect(await logs('--all-containers', '--prefix', '--tail=1')).toMatch(
      new RegExp(`^\\[pod/${pod}/main\\] tick \\d+$`, 'm'),
    );
    const times = (text: string) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.slice(0, 20));
    const [last = ''] = times(await logs('-c', 'main', '--timestamps', '--tail=1'));
    const second = `${last.slice(0, 19)}Z`;
    const since = times(await logs('-c', 'main', '--timestamps', `--since-time=${second}`));
    expect(since.length).toBeGreaterThan(0);
    expect(since.every((time) => time.slice(0, 19) >= second.slice(0, 19))).toBe(true);
    expect((await logs('-c', 'main', '--since=1h')).startsWith('tick 1\n')).toBe(true);
    expect(await logs('-c', 'listener', '--since=1s', '--tail=0')).toBe('');
  });

  it('interrupted, it leaves nothing behind in the container', async () => {
    const mark = `76${randomBytes(3).readUIntBE(0, 3)}`;
    const waiting = begin(client, inMain(`sleep ${mark} & sleep ${mark}; true`));
    await eventually('both run', async () => (await processes(`sleep ${mark}`)).length >= 2);
    await waiting.stop();
    await eventually('none runs', async () => (await processes(`sleep ${mark}`)).length === 0);
  });
});

/** Sends all of the large file, ends that half, and reads what the other end counted then. */
function countThere(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', () => resolve(Number(answer)));
    socket.on('error', reject);
    createReadStream(large).pipe(socket);
  });
}

describe('a pod on the host’s network', () => {
  it('is forwarded to by the host’s localhost', async () => {
    const forwarding = begin(newest, ['port-forward', hostPod, ':8180']);
    const port = await eventually('forwarding', () => /127\.0\.0\.1:(\d+) ->/.exec(forwarding.said())?.[1]);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(`here is ${NODE}\n`);
    await forwarding.stop();
  });
});

describe('what cannot be served is said as Kubernetes says it', () => {
  it.each<[string, () => string[], string]>([
    ['a pod that is not there', () => ['exec', 'nope', '--', 'ls'], 'pods "nope" not found'],
    [
      'a container that is not there',
      () => ['exec', pod, '-c', 'nope', '--', 'ls'],
      'container nope is not valid for pod',
    ],
  ])('%s', async (_, args, message) => {
    for (const [, client] of clients) {
      const { code, stderr } = await run(client, args());
      expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    }
  });
});

/** Resident memory, in MB. */
const agentMemory = async () =>
  Number(await inNode(NODE, 'sh', '-c', "awk '/VmRSS/ {print $2}' /proc/$(node-ctl agent pid)/status")) /
  1024;
const planeMemory = async () =>
  Number(
    await fleet(
      'exec',
      'plane',
      'sh',
      '-c',
      "awk '/VmRSS/ {print $2}' /proc/$(pgrep -o -f fleetset.js)/status",
    ),
  ) / 1024;
const agentFiles = async () =>
  Number(await inNode(NODE, 'sh', '-c', 'ls /proc/$(node-ctl agent pid)/fd | wc -l'));

describe('a client that stands still', () => {
  it('holds nothing up: not the plane, not the agent, not other clients, and is forgotten when it is gone', async () => {
    const files = await agentFiles();
    const before = [await agentMemory(), await planeMemory()];
    const mark = `75${randomBytes(3).readUIntBE(0, 3)}`;
    // Some that do not read what never ends, and some whose input nobody reads, in each way there is. At the plane's
    // own address: what stands in between may keep the end of a connection to itself.
    const direct = ['--server', `https://${await addressOf('plane')}:6443`, '--tls-server-name', 'localhost'];
    const still = clients
      .slice(-2)
      .map(([, client]) => begin(client, [...direct, ...inMain(`sleep ${mark} & exec cat /dev/zero`)]));
    const jammed = clients
      .slice(-2)
      .map(([, client]) =>
        begin(client, [...direct, 'exec', '-i', pod, '-c', 'main', '--', 'sleep', mark], true),
      );
    for (const { child } of jammed) {
      child.stdin?.on('error', () => {});
      child.stdin?.write(Buffer.alloc(64 * MB));
    }
    for (const { child } of still) child.stdout?.pause();
    await eventually('all run', async () => (await processes(`sleep ${mark}`)).length >= 4);
    for (const { child } of still) child.kill('SIGSTOP');
    const { stdout } = await run(newest, inMain('head -c 100000000 /dev/zero | wc -c'));
    expect(stdout).toBe('100000000\n');
    // What the plane and the agent say to each other goes on: an update comes through, also to this node.
    await kubectl('set', 'env', '-n', NAMESPACE, 'ds/host', 'UPDATED=yes');
    await kubectl('rollout', 'status', '-n', NAMESPACE, 'ds/host', '--timeout=180s');
    expect(await agentMemory()).toBeLessThan((before[0] ?? 0) + 60);
    expect(await planeMemory()).toBeLessThan((before[1] ?? 0) + 60);
    for (const client of [...still, ...jammed]) await client.stop('SIGKILL');
    await eventually('nothing of it runs', async () => (await processes(mark)).length === 0);
    await eventually('the agent holds no more open than before', async () => (await agentFiles()) <= files);
  });
});
