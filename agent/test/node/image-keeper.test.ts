// Room on the images' disk: what is removed from an engine whose disk fills, what never is, and when nothing is pulled.
import type { ImageDisk } from '@fleetset/scheduler-core/node/image-garbage';
import { pino } from 'pino';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createAgentEvents } from '../../src/node/agent-events.ts';
import { createHousekeeping, wantedImages } from '../../src/node/housekeeping.ts';
import { createImageKeeper } from '../../src/node/image-keeper.ts';
import { DEFAULT_NODE_SETTINGS, type ImageSettings } from '../../src/node-settings.ts';
import { type ImageBook, openImageBook } from '../../src/state/image-book.ts';
import { template, toldSet } from '../desired.ts';
import { createFakeEngine, type FakeEngine } from '../fake-runtime.ts';
import { fakeClock, openNodeWorld } from '../node-world.ts';
import { settings as containerOf, TEST_IMAGE } from '../pods.ts';
import { tempDirectory } from '../temp-directory.ts';

const GI = 2 ** 30;
const CAPACITY = 100 * GI;
const logger = pino({ enabled: false });

/** A disk that holds what the engine has, and ballast. */
interface Disk {
  ballast: number;
}

async function open(engine: FakeEngine, more: Partial<ImageSettings> = {}) {
  const runtime = engine.runtime('test/node');
  const book = await openImageBook(await tempDirectory(), (error) => {
    throw error;
  });
  const events = createAgentEvents();
  const disk: Disk = { ballast: 0 };
  let [wanted, now]: [readonly string[], number] = [[], 1e12];
  const readDisk = async (): Promise<ImageDisk> => {
    const used = (await runtime.images()).reduce((sum, { sizeBytes }) => sum + sizeBytes, disk.ballast);
    return { availableBytes: CAPACITY - used, capacityBytes: CAPACITY };
  };
  const keeper = createImageKeeper({
    runtime,
    book,
    settings: { ...DEFAULT_NODE_SETTINGS.images, ...more },
    readDisk,
    wanted: () => wanted,
    events,
    logger,
    now: () => now,
    onRemoved: () => {},
  });
  return {
    keeper,
    book,
    disk,
    want: (...names: readonly string[]) => {
      wanted = names;
    },
    passMinutes: (minutes: number) => {
      now += minutes * 60_000;
    },
    pull: async (image: string, sizeGi: number) => {
      engine.addImage(image, { pullable: true, sizeBytes: sizeGi * GI });
      await keeper.runtime.pull(image, AbortSignal.timeout(1000));
    },
    here: async () =>
      (await runtime.images())
        .flatMap(({ tags }) => tags)
        .filter((tag) => tag !== TEST_IMAGE)
        .sort(),
    told: () => events.take().map(({ reason }) => reason),
  };
}

let engine: FakeEngine;
beforeEach(() => {
  engine = createFakeEngine();
});

describe('when the disk is nearly full', () => {
  it('the images unused for the longest go until there is room, and no more', async () => {
    const { keeper, disk, pull, passMinutes, here, told } = await open(engine);
    for (const name of ['a:1', 'b:1', 'c:1']) {
      await pull(name, 4);
      passMinutes(10);
    }
    disk.ballast = 72 * GI;
    await keeper.collect();
    expect(await here()).toEqual(['a:1', 'b:1', 'c:1']);
    disk.ballast = 74 * GI;
    await keeper.collect();
    expect([await here(), told()]).toEqual([['c:1'], []]);
  });

  it('what is used, wanted, just pulled or not ours stays, and that it is not enough is told', async () => {
    const { keeper, disk, pull, passMinutes, here, want, told } = await open(engine);
    engine.addImage('built-here:1', { sizeBytes: 4 * GI });
    await pull('used:1', 4);
    await pull('wanted:1', 4);
    await pull('old:1', 4);
    await keeper.runtime.create({ ...containerOf(), image: 'used:1' });
    want('wanted:1', 'not-there:1');
    passMinutes(10);
    await pull('fresh:1', 4);
    disk.ballast = 75 * GI;
    await keeper.collect();
    expect(await here()).toEqual(['built-here:1', 'fresh:1', 'used:1', 'wanted:1']);
    expect(told()).toEqual(['FreeDiskSpaceFailed']);
  });

  it('an image that somebody gave another name stays', async () => {
    const { keeper, book, disk, passMinutes, here } = await open(engine);
    engine.addImage('theirs:1', { sizeBytes: 4 * GI });
    const id = await keeper.runtime.imageId('theirs:1');
    await book.add('ours:1', id ?? '', undefined, 0);
    passMinutes(10);
    disk.ballast = 95 * GI;
    await keeper.collect();
    expect(await here()).toEqual(['theirs:1']);
  });

  it('images of others go too where the settings say so, once they have been seen for a while', async () => {
    const { keeper, disk, passMinutes, here, want } = await open(engine, { foreign: true });
    engine.addImage('built-here:1', { sizeBytes: 4 * GI });
    engine.addImage('holder:1', { sizeBytes: 4 * GI });
    want('holder:1', TEST_IMAGE);
    disk.ballast = 90 * GI;
    await keeper.collect();
    expect(await here()).toEqual(['built-here:1', 'holder:1']);
    passMinutes(5);
    await keeper.collect();
    expect(await here()).toEqual(['holder:1']);
  });

  it('an image that the engine does not let go is no reason to stop', async () => {
    const { keeper, disk, pull, passMinutes, here } = await open(engine);
    await pull('a:1', 4);
    passMinutes(1);
    await pull('b:1', 4);
    passMinutes(10);
    engine.fail({ call: 'removeImage', how: 'before', about: 'a:1' });
    disk.ballast = 90 * GI;
    await keeper.collect();
    expect(await here()).toEqual(['a:1']);
  });
});

describe('before a pull', () => {
  it('images make room for it', async () => {
    const { disk, pull, passMinutes, here } = await open(engine);
    await pull('old:1', 4);
    passMinutes(10);
    disk.ballast = CAPACITY - 4 * GI;
    await pull('new:1', 1);
    expect(await here()).toEqual(['new:1']);
  });

  it('that finds too little room nothing is begun', async () => {
    const { disk, pull, here } = await open(engine);
    disk.ballast = CAPACITY - 100 * 2 ** 20;
    await expect(pull('new:1', 1)).rejects.toMatchObject({
      kind: 'no-space',
      message: expect.stringMatching(/^only 100Mi are free .* below 512Mi \(imagePullMinFree\)$/),
    });
    expect([await here(), engine.calls]).toEqual([[], []]);
  });
});

describe('on a node', () => {
  beforeEach(() => {
    fakeClock();
    return () => vi.useRealTimers();
  });

  const revision = (number: number, image: string) =>
    toldSet('web', {
      revision: `web-${number}`,
      template: template({
        containers: [
          {
            name: 'app',
            image,
            imagePullPolicy: 'IfNotPresent',
            command: ['sh', '-c', 'trap "exit 7" TERM; sleep 1000 & wait'],
          },
        ],
      }),
    });

  it('without room the old pod runs on, it says why, and the update goes on when there is room', async () => {
    const disk = { availableBytes: 0, capacityBytes: CAPACITY };
    const book = await openImageBook(await tempDirectory(), () => {});
    const world = await openNodeWorld({
      wrapRuntime: (runtime, follow) =>
        createImageKeeper({
          runtime,
          book: follow(book),
          settings: DEFAULT_NODE_SETTINGS.images,
          readDisk: async () => disk,
          wanted: () => [],
          events: createAgentEvents(),
          logger,
          now: Date.now,
          onRemoved: () => {},
        }).runtime,
    });
    await world.tell({ daemonSets: [revision(1, TEST_IMAGE)] });
    await world.until('it runs', () => world.running().includes('web-1/app#0'));
    world.engine.addImage('new:1', { pullable: true });
    await world.tell({ daemonSets: [revision(2, 'new:1')] });
    const waiting = () => {
      const pod = world.report().pods.find(({ revision: of }) => of === 'web-2');
      return JSON.parse(pod?.statusJson ?? '{}').containerStatuses?.[0]?.state.waiting;
    };
    // A pod that is prepared is shown from the start.
    await world.until('it says why', () => waiting()?.reason === 'InsufficientDiskSpace');
    expect(waiting().message).toContain('only 0Mi are free');
    await world.pass(30);
    expect(world.running()).toEqual(['web-1/app#0']);
    disk.availableBytes = CAPACITY;
    await world.until('it is updated', () => world.running().join() === 'web-2/app#0');
  });

  it('the images of what runs, of what is granted and of what worked before are wanted', async () => {
    const world = await openNodeWorld();
    const book: ImageBook = await openImageBook(await tempDirectory(), () => {});
    const { pods, bodies } = world.now();
    const keeping = createHousekeeping({
      runtime: { strays: async () => [], remove: async () => {} },
      keeper: { collect: async () => {} },
      book,
      pods,
      bodies,
      logger,
    });
    for (const number of [1, 2, 3]) {
      world.engine.addImage(`image:${number}`);
      await world.tell({ daemonSets: [revision(number, `image:${number}`)] });
      await world.until('it is available', () =>
        world.report().pods.some((pod) => pod.available && pod.revision === `web-${number}`),
      );
      keeping.note(world.report());
    }
    await world.tell({ daemonSets: [revision(4, 'image:4')] });
    await world.until('it is tried', () => world.now().pods.all().length === 2);
    expect([...wantedImages({ book, pods, bodies }, world.told())].sort()).toEqual([
      'image:2',
      'image:3',
      'image:4',
    ]);
    keeping.told({ ...(world.told() as NonNullable<ReturnType<typeof world.told>>), daemonSets: [] });
    expect(book.workingImages()).toEqual([]);
  });

  it('containers with our label that belong to nobody are removed, also while images cannot be', async () => {
    const removed: string[] = [];
    let strays = ['one'];
    const leaving = new AbortController();
    const world = await openNodeWorld();
    createHousekeeping({
      runtime: {
        strays: async () => strays,
        remove: async (id) => {
          removed.push(id);
          strays = [];
        },
      },
      keeper: { collect: () => Promise.reject(new Error('no disk')) },
      book: await openImageBook(await tempDirectory(), () => {}),
      pods: world.now().pods,
      bodies: world.now().bodies,
      logger,
    }).keep(leaving.signal);
    await world.pass(1);
    expect(removed).toEqual(['one']);
    strays = ['two'];
    await world.pass(70);
    expect(removed).toEqual(['one', 'two']);
    leaving.abort();
  });
});
