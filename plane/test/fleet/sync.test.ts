// The sync stream, heard from the agent's end: hello and welcome, complete desired states, bodies, generations.
import { createHash, randomBytes } from 'node:crypto';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { DesiredRefused_Reason, SyncRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { type HollowIdentity, type HollowStream, joinPlane, openSync } from '../support/hollow-agent.ts';
import { daemonSet, EVENTS, NODES, REVISIONS, SETS } from '../support/manifests.ts';
import { facts, generationOf, newest, placement, podReport, report } from '../support/reports.ts';
import { startTestPlane, type TestPlane, VERSION } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(() => plane.stop());

let count = 0;
const join = (): Promise<HollowIdentity> => joinPlane(plane, `n${++count}`);
const newSet = (options?: Json): Promise<Json> =>
  plane.api.ok('POST', SETS, daemonSet(`s${++count}`, options));
const remove = (set: Json) => plane.api.ok('DELETE', `${SETS}/${set.metadata.name}`);

/** The newest desired state that lists the set, as this node may run it. */
const grantOf = (stream: HollowStream, set: Json) =>
  until(`${set.metadata.name} is granted`, () =>
    newest(stream)?.daemonSets.find(({ uid, revision }) => uid === set.metadata.uid && revision !== ''),
  );

const after = (stream: HollowStream, was: number) =>
  until('another desired state', () => stream.desired()[was]);

const compare = (a: Json, b: Json): number => a.epoch - b.epoch || a.counter - b.counter;

describe('hello', () => {
  it('is answered with welcome, then with the complete desired state', async () => {
    const set = await newSet();
    const stream = openSync(plane, await join());
    const welcome = await stream.hear('welcome');
    expect(welcome).toEqual({ protocol: 1, planeVersion: VERSION, heartbeatMs: 10_000 });
    await stream.hear('desired');
    expect(stream.heard.map(({ $case }) => $case)).toEqual(['welcome', 'bodies', 'desired']);
    const told = newest(stream)?.daemonSets.find(({ uid }) => uid === set.metadata.uid);
    expect(told).toMatchObject({
      namespace: 'default',
      name: set.metadata.name,
      revision: '',
      templateHash: '',
      minReadySeconds: 0,
    });
    expect(told?.placementHash).toMatch(/^[0-9a-f]{64}$/);
    stream.close();
    await remove(set);
  });

  it('of a newer protocol is answered with the highest that both speak', async () => {
    const stream = openSync(plane, await join(), { protocol: 99 });
    expect(await stream.hear('welcome')).toMatchObject({ protocol: 1 });
    stream.close();
  });

  it('of no protocol is refused', async () => {
    const stream = openSync(plane, await join(), { protocol: 0 });
    expect(await stream.untilEnd()).toEqual({
      code: status.FAILED_PRECONDITION,
      details: 'the agent speaks no known protocol',
    });
    stream.close();
  });

  it('is what everything waits for: what is said before it is not heard', async () => {
    const node = await join();
    const early = openSync(plane, node);
    await early.hear('desired');
    early.say({ $case: 'report', value: report(node.nodeName) });
    await until('the report is taken in', () => plane.hasHeard(node.nodeName));
    early.close();
    await until('the plane noticed', () => !plane.hasHeard(node.nodeName));
  });
});

describe('a message from a newer agent', () => {
  it('is taken for what is known of it', async () => {
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    // A report with a field 77 in it, in a request with a field 99 beside it.
    const known = SyncRequest.encode({
      message: { $case: 'report', value: report(node.nodeName) },
    }).finish();
    const [, inner] = splitMessage(known);
    const writer = new BinaryWriter();
    writer.uint32((99 << 3) | 2).string('something new');
    writer.uint32((2 << 3) | 2).bytes(
      Buffer.concat([
        inner,
        new BinaryWriter()
          .uint32((77 << 3) | 0)
          .uint32(5)
          .finish(),
      ]),
    );
    stream.sayBytes(writer.finish());
    await until('the report is taken in', () => plane.hasHeard(node.nodeName));
    // A message of a kind that is not known at all.
    stream.sayBytes(
      new BinaryWriter()
        .uint32((42 << 3) | 2)
        .string('new kind')
        .finish(),
    );
    stream.sayBytes(new Uint8Array());
    stream.say({ $case: 'bodiesWanted', value: { hashes: ['nothing'] } });
    await stream.hear('bodies', ({ bodies }) => bodies.length === 0);
    stream.close();
  });

  it('that is no message at all ends the stream, and nothing but the stream', async () => {
    const node = await join();
    const broken = openSync(plane, node);
    await broken.hear('welcome');
    broken.sayBytes(Buffer.from([0xff, 0xff, 0xff]));
    expect((await broken.untilEnd()).code).not.toBe(0);
    broken.close();
    const again = openSync(plane, node);
    await again.hear('welcome');
    again.close();
  });
});

/** Tag and content of a message of one length-delimited field. */
function splitMessage(bytes: Uint8Array): [tag: number, content: Uint8Array] {
  let at = 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return [bytes[0] ?? 0, bytes.subarray(at, at + length)];
}

describe('bodies', () => {
  const sentIn = (stream: ReturnType<typeof openSync>) =>
    stream.heard.flatMap((one) => (one.$case === 'bodies' ? one.value.bodies.map(({ hash }) => hash) : []));

  it('come before what names them for the first time, once', async () => {
    const first = await newSet();
    const node = await join();
    const stream = openSync(plane, node);
    const { daemonSets } = await stream.hear('desired');
    const rules = daemonSets.map(({ placementHash }) => placementHash);
    expect(sentIn(stream)).toEqual([...new Set(rules)]);
    stream.say({
      $case: 'report',
      value: report(node.nodeName, { placements: [placement(first, 'Run')] }),
    });
    const { templateHash } = await grantOf(stream, first);
    const sent = sentIn(stream);
    expect(sent).toEqual(expect.arrayContaining([...rules, templateHash]));
    expect(sent.length).toBe(new Set(sent).size);
    stream.close();
    await remove(first);
  });

  it('are not sent unasked to an agent that has accepted something before: it may have them', async () => {
    const set = await newSet();
    const stream = openSync(plane, await join(), { accepted: { epoch: 1, counter: 1 } });
    await stream.hear('desired');
    expect(sentIn(stream)).toEqual([]);
    stream.close();
    await remove(set);
  });

  it('that are large are asked for', async () => {
    const set = await newSet({
      pod: {
        nodeSelector: { a: 'x' },
        containers: [{ name: 'm', image: 'i', env: [{ name: 'A', value: 'x'.repeat(300_000) }] }],
      },
    });
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    stream.say({ $case: 'report', value: report(node.nodeName, { placements: [placement(set, 'Run')] }) });
    const { templateHash } = await grantOf(stream, set);
    expect(sentIn(stream)).not.toContain(templateHash);
    stream.say({ $case: 'bodiesWanted', value: { hashes: [templateHash] } });
    await stream.hear('bodies', ({ bodies }) => bodies.some(({ hash }) => hash === templateHash));
    stream.close();
    await remove(set);
  });

  it('are asked for by hash, are what their hash says, and hold rules and template as they were written', async () => {
    const pod = {
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ operator: 'Exists' }],
      hostNetwork: true,
      containers: [{ name: 'main', image: 'i:7', command: ['a', 'b'] }],
    };
    const set = await newSet({ pod });
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    stream.say({
      $case: 'report',
      value: report(node.nodeName, { placements: [placement(set, 'Run')] }),
    });
    const told = await grantOf(stream, set);
    stream.say({
      $case: 'bodiesWanted',
      value: { hashes: [told.placementHash, told.templateHash, 'f'.repeat(64)] },
    });
    const both = [told.placementHash, told.templateHash].join();
    const { bodies } = await stream.hear(
      'bodies',
      (heard) => heard.bodies.map(({ hash }) => hash).join() === both,
    );
    for (const { hash, content } of bodies)
      expect(createHash('sha256').update(content).digest('hex')).toBe(hash);
    const [rules, template] = bodies.map(({ content }) => JSON.parse(Buffer.from(content).toString('utf8')));
    expect(rules).toEqual({
      nodeSelector: pod.nodeSelector,
      tolerations: pod.tolerations,
      hostNetwork: true,
    });
    expect(template).toEqual(set.spec.template);
    const revision = await plane.api.ok('GET', `${REVISIONS}/${set.metadata.name}-${told.revision}`);
    expect(revision.data.spec.template).toEqual({ ...template, $patch: 'replace' });
    stream.close();
    await remove(set);
  });

  it('with the same content are one body, over DaemonSets and over spellings', async () => {
    const pod = { containers: [{ name: 'main', image: 'i', resources: { limits: { cpu: '1000m' } } }] };
    const other = { containers: [{ name: 'main', image: 'i', resources: { limits: { cpu: 1 } } }] };
    const spec = (given: Json) => ({ pod: given, spec: { selector: { matchLabels: { app: 'one' } } } });
    const labelled = (name: string, given: Json) => {
      const manifest = daemonSet(name, spec(given));
      manifest.spec.template.metadata.labels = { app: 'one' };
      return manifest;
    };
    const sets = [
      await plane.api.ok('POST', SETS, labelled('same-a', pod)),
      await plane.api.ok('POST', SETS, labelled('same-b', other)),
    ];
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    stream.say({ $case: 'report', value: report(node.nodeName) });
    const [a, b] = await Promise.all(sets.map((set) => grantOf(stream, set)));
    expect(a?.templateHash).toBe(b?.templateHash);
    expect(a?.placementHash).toBe(b?.placementHash);
    stream.close();
    for (const set of sets) await remove(set);
  });

  // The bug this found: all bodies went out in one message, and gRPC refuses one of more than 16 MiB: the agent was
  // thrown out, asked again, and was thrown out for ever.
  it('come even if together they are larger than one message may be', async () => {
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    stream.say({ $case: 'report', value: report(node.nodeName) });
    const sets = [];
    for (let index = 0; index < 8; index++) {
      const value = randomBytes(1_250_000).toString('hex');
      sets.push(
        await newSet({ pod: { containers: [{ name: 'main', image: 'i', env: [{ name: 'BIG', value }] }] } }),
      );
    }
    const told = await Promise.all(sets.map((set) => grantOf(stream, set)));
    const hashes = told.map(({ templateHash }) => templateHash);
    stream.say({ $case: 'bodiesWanted', value: { hashes } });
    await until('all bodies', () => {
      expect(stream.ended()).toBeUndefined();
      const come = stream.heard.flatMap((message) =>
        message.$case === 'bodies' ? message.value.bodies.map(({ hash }) => hash) : [],
      );
      return hashes.every((hash) => come.includes(hash));
    });
    stream.close();
    for (const set of sets) await remove(set);
  });
});

describe('generations', () => {
  it('grow with each change of what the node is told, and with nothing else', async () => {
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    const quiet = async (what: () => Promise<unknown>) => {
      const before = stream.desired().length;
      await what();
      await turns();
      expect(stream.desired()).toHaveLength(before);
    };
    const telling = async (what: () => Promise<unknown>) => {
      const before = stream.desired().length;
      await what();
      await after(stream, before);
    };
    const patch = (path: string, body: Json) => () => plane.api.ok('PATCH', path, body, { type: MERGE });
    let set: Json;
    await telling(async () => {
      set = await newSet();
    });
    const path = () => `${SETS}/${set.metadata.name}`;
    const own = `${NODES}/${node.nodeName}`;
    stream.say({ $case: 'report', value: report(node.nodeName) });
    await grantOf(stream, await plane.api.ok('GET', path()));
    await telling(patch(own, { metadata: { labels: { disk: 'ssd' } } }));
    expect(newest(stream)?.labels).toEqual({ disk: 'ssd' });
    await telling(patch(path(), { spec: { minReadySeconds: 3 } }));
    await telling(patch(own, { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoExecute' }] } }));
    expect(newest(stream)?.taints).toEqual([{ key: 'k', value: 'v', effect: 'NoExecute' }]);
    await quiet(patch(own, { metadata: { annotations: { note: 'x' } } }));
    await quiet(patch(path(), { metadata: { labels: { note: 'x' } } }));
    await quiet(patch(path(), { spec: { revisionHistoryLimit: 3 } }));
    await quiet(patch(path(), { spec: { updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } } }));
    await quiet(patch(own, { spec: { unschedulable: true } }));
    await quiet(async () => stream.say({ $case: 'heartbeat', value: { generation: generationOf(stream) } }));
    await quiet(async () => stream.say({ $case: 'report', value: report(node.nodeName) }));
    await quiet(() =>
      plane.api.ok('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'x' } }),
    );
    await telling(() => remove(set));
    const generations = stream.desired().map(({ generation }) => generation);
    expect(generations).toEqual([...generations].sort(compare));
    expect(new Set(generations.map((one) => one?.counter)).size).toBe(generations.length);
    stream.close();
  });

  it('are complete: a state lists every DaemonSet, also one that does not belong on the node', async () => {
    const here = await newSet();
    const elsewhere = await newSet({
      pod: { nodeSelector: { no: 'where' }, containers: [{ name: 'm', image: 'i' }] },
    });
    const stream = openSync(plane, await join());
    const desired = await stream.hear('desired');
    expect(desired.daemonSets.map(({ uid }) => uid).sort()).toEqual(
      [here.metadata.uid, elsewhere.metadata.uid].sort(),
    );
    stream.close();
    await remove(here);
    await remove(elsewhere);
  });

  it('stay as they are for unchanged content when the agent connects anew', async () => {
    const set = await newSet();
    const node = await join();
    const first = openSync(plane, node);
    await first.hear('desired');
    first.say({ $case: 'report', value: report(node.nodeName) });
    await grantOf(first, set);
    const told = newest(first);
    first.close();
    const second = openSync(plane, node, { accepted: told?.generation as never });
    expect(await second.hear('desired')).toEqual(told);
    second.close();
    await remove(set);
  });

  it('go beyond what the agent says it has of this epoch', async () => {
    const node = await join();
    const first = openSync(plane, node);
    const told = await first.hear('desired');
    first.close();
    const { epoch = 0, counter = 0 } = told.generation ?? {};
    const second = openSync(plane, node, { accepted: { epoch, counter: counter + 100 } });
    const again = await second.hear('desired');
    expect(again.generation).toEqual({ epoch, counter: counter + 101 });
    second.close();
  });

  it('grow over restarts of the plane: a new epoch', async () => {
    const set = await newSet();
    const node = await join();
    const seen: Json[] = [];
    for (let round = 0; round < 3; round++) {
      const stream = openSync(plane, node, { accepted: seen.at(-1) });
      await stream.hear('desired');
      stream.say({ $case: 'report', value: report(node.nodeName) });
      await grantOf(stream, set);
      seen.push(...stream.desired().map(({ generation }) => generation));
      await plane.restart();
      stream.close();
    }
    for (const [index, generation] of seen.entries())
      if (index > 0) expect(compare(generation, seen[index - 1])).toBeGreaterThan(0);
    expect(new Set(seen.map(({ epoch }) => epoch)).size).toBe(3);
    await remove(set);
  });
});

describe('the bytes of a desired state', () => {
  it('are the same however operators order labels and taints, so that nothing is told twice', async () => {
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    const path = `${NODES}/${node.nodeName}`;
    await plane.api.ok('PATCH', path, { metadata: { labels: { b: '1', a: '1' } } }, { type: MERGE });
    await until('told', () => newest(stream)?.labels.a);
    const before = stream.desired().length;
    const object = await plane.api.ok('GET', path);
    const { labels, ...metadata } = object.metadata;
    const reversed = Object.fromEntries(Object.entries(labels).reverse());
    await plane.api.ok('PUT', path, { ...object, metadata: { ...metadata, labels: reversed } });
    await plane.api.ok('PATCH', path, { metadata: { annotations: { x: 'y' } } }, { type: MERGE });
    await turns();
    expect(stream.desired()).toHaveLength(before);
    stream.close();
  });
});

describe('an agent that refuses a desired state', () => {
  it('is heard: a warning on its node says which, why, and what it keeps', async () => {
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    stream.say({
      $case: 'desiredRefused',
      value: {
        refused: { epoch: 3, counter: 4 },
        accepted: { epoch: 2, counter: 9 },
        reason: DesiredRefused_Reason.REASON_SAME_GENERATION_OTHER_CONTENT,
        message: 'the words of the agent',
      },
    });
    const uid = (await plane.api.ok('GET', `${NODES}/${node.nodeName}`)).metadata.uid;
    const query = `?fieldSelector=involvedObject.kind%3DNode,involvedObject.uid%3D${uid},reason%3DDesiredStateRefused`;
    const event = await until('the event', async () => (await plane.api.ok('GET', EVENTS + query)).items[0]);
    expect(event).toMatchObject({
      type: 'Warning',
      involvedObject: { kind: 'Node', name: node.nodeName },
      message:
        'the agent refused desired state 3.4 and keeps 2.9: same generation other content: the words of the agent',
    });
    expect(plane.complaints.find(({ msg }) => msg === event.message)).toMatchObject({ node: node.nodeName });
    stream.close();
  });
});

describe('two machines with one certificate', () => {
  it('the second is turned away while the first lives, with an event that names the cause', async () => {
    const node = await join();
    const first = openSync(plane, node, { machineId: 'first' });
    await first.hear('welcome');
    const second = openSync(plane, node, { machineId: 'second' });
    expect((await second.untilEnd()).code).toBe(status.UNAVAILABLE);
    second.close();
    // The first is heard again: it lives.
    first.say({ $case: 'heartbeat', value: { generation: undefined } });
    const end = await until('the clone is refused', async () => {
      first.say({ $case: 'heartbeat', value: { generation: undefined } });
      const clone = openSync(plane, node, { machineId: 'second' });
      const { code, details } = await clone.untilEnd();
      clone.close();
      return code === status.ALREADY_EXISTS ? details : undefined;
    });
    expect(end).toContain(`another machine is connected as node ${node.nodeName} with the same certificate`);
    const query = `?fieldSelector=involvedObject.name%3D${node.nodeName},reason%3DDuplicateNode`;
    await until('the event', async () => (await plane.api.ok('GET', EVENTS + query)).items[0]);
    expect(first.ended()).toBeUndefined();
    first.close();
  });

  it('the second takes over when the first is silent, and the first is told', async () => {
    // Heartbeats every 100 ms; nobody else is there to be called lost.
    await plane.restart({ graceMs: 400 });
    const node = await join();
    const first = openSync(plane, node, { machineId: 'first' });
    expect(await first.hear('welcome')).toMatchObject({ heartbeatMs: 100 });
    const second = await until('the second is welcome', async () => {
      const stream = openSync(plane, node, { machineId: 'second' });
      await until('an answer', () => stream.heard.length > 0 || stream.ended());
      if (stream.heard.length > 0) return stream;
      stream.close();
      return undefined;
    });
    expect((await first.untilEnd()).code).toBe(status.ABORTED);
    expect(second.ended()).toBeUndefined();
    first.close();
    second.close();
    await plane.restart({ graceMs: 600_000 });
  });

  it('the same machine connecting anew replaces its own session at once', async () => {
    const node = await join();
    const first = openSync(plane, node);
    await first.hear('welcome');
    const second = openSync(plane, node);
    await second.hear('desired');
    expect(await first.untilEnd()).toEqual({ code: status.ABORTED, details: 'the agent connected anew' });
    // What the first said last, or its end, says nothing of the second.
    second.say({ $case: 'report', value: report(node.nodeName) });
    await until('heard', () => plane.hasHeard(node.nodeName));
    first.close();
    await turns();
    expect(plane.hasHeard(node.nodeName)).toBe(true);
    second.close();
  });
});

describe('an agent that does not read', () => {
  // The bug this found: the limit was compared with the number of messages that wait, as the stream counts objects.
  it('is cut off before the plane holds much for it, and is told the newest when it comes back', async () => {
    const value = randomBytes(700_000).toString('hex');
    const set = await newSet({
      pod: { containers: [{ name: 'main', image: 'i', env: [{ name: 'BIG', value }] }] },
    });
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    stream.say({ $case: 'report', value: report(node.nodeName) });
    const { templateHash } = await grantOf(stream, set);
    stream.pause();
    const before = process.memoryUsage().arrayBuffers;
    for (let ask = 0; ask < 200; ask++)
      stream.say({ $case: 'bodiesWanted', value: { hashes: [templateHash] } });
    // 280 MB were asked for.
    await until('the plane cuts it off', () => !plane.hasHeard(node.nodeName));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150 * 1024 * 1024);
    // Once it reads on it is told; until then nothing more waits for it.
    stream.resume();
    expect((await stream.untilEnd()).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(stream.heard.filter(({ $case }) => $case === 'bodies').length).toBeLessThan(60);
    stream.close();
    const again = openSync(plane, node);
    await again.hear('desired', ({ daemonSets }) => daemonSets.some(({ uid }) => uid === set.metadata.uid));
    again.close();
    await remove(set);
  });
});

describe('what a node says of itself beyond the rules', () => {
  it('does not stop the plane: a status that is no JSON, a report for nobody, pods of no DaemonSet', async () => {
    const node = await join();
    const stream = openSync(plane, node);
    await stream.hear('desired');
    const ghost = { metadata: { name: 'ghost', namespace: 'nowhere', uid: 'no-such-uid' } };
    stream.say({
      $case: 'report',
      value: report(node.nodeName, {
        facts: { labels: {}, taints: [], statusJson: '{"broken', holds: [], maintenance: undefined },
        placements: [placement(ghost, 'Run')],
        pods: [podReport(ghost, 'abc', { statusJson: 'null' })],
      }),
    });
    stream.say({ $case: 'report', value: report(node.nodeName, { facts: undefined }) });
    await until('heard', () => plane.hasHeard(node.nodeName));
    stream.say({ $case: 'report', value: report(node.nodeName, { facts: facts(node.nodeName) }) });
    await until('Ready', async () => {
      const { conditions } = (await plane.api.ok('GET', `${NODES}/${node.nodeName}`)).status;
      return conditions.find(({ type, status: value }: Json) => type === 'Ready' && value === 'True');
    });
    stream.close();
  });
});
