// Proves when a node counts as short of something, for how long, and what is said of it.
import {
  DEFAULT_THRESHOLDS,
  DEFAULT_TRANSITION_MS,
  judgePressure,
  type Levels,
  NO_PRESSURE,
  type NodePressure,
  PRESSURE_SIGNALS,
  parseThreshold,
  pressureConditions,
  pressureTaints,
  type Thresholds,
} from '@fleetset/scheduler-core/node/node-pressure';
import { decidePlacement } from '@fleetset/scheduler-core/placement';
import { describe, expect, test } from 'vitest';

const MI = 2 ** 20;
const thresholdsOf = (texts: { readonly [signal: string]: string } = {}): Thresholds =>
  Object.fromEntries(
    PRESSURE_SIGNALS.map((signal) => [signal, parseThreshold(texts[signal] ?? DEFAULT_THRESHOLDS[signal])]),
  ) as unknown as Thresholds;

const typesOf = (pressure: NodePressure) => Object.keys(pressure).join(' ');
const judge = (levels: Levels, texts?: { readonly [signal: string]: string }) =>
  judgePressure(NO_PRESSURE, levels, thresholdsOf(texts), 0, DEFAULT_TRANSITION_MS);

describe('a node is short', () => {
  type Row = readonly [string, Levels, string, { readonly [signal: string]: string }?];
  const rows: readonly Row[] = [
    [
      'of memory below 100Mi',
      { 'memory.available': { available: 100 * MI - 1, capacity: 4096 * MI } },
      'MemoryPressure',
    ],
    ['not at 100Mi', { 'memory.available': { available: 100 * MI, capacity: 4096 * MI } }, ''],
    [
      'of disk below 10% of its own',
      { 'nodefs.available': { available: 99, capacity: 1000 } },
      'DiskPressure',
    ],
    ['not at 10%', { 'nodefs.available': { available: 100, capacity: 1000 } }, ''],
    ['below 15% of the images', { 'imagefs.available': { available: 149, capacity: 1000 } }, 'DiskPressure'],
    ['of inodes', { 'nodefs.inodesFree': { available: 49, capacity: 1000 } }, 'DiskPressure'],
    ['not on a filesystem without inodes', { 'nodefs.inodesFree': { available: 0, capacity: 0 } }, ''],
    ['of PIDs', { 'pid.available': { available: 4, capacity: 100 } }, 'PIDPressure'],
    [
      'by thresholds of its own',
      { 'pid.available': { available: 999, capacity: 32_768 } },
      'PIDPressure',
      { 'pid.available': '1k' },
    ],
    [
      'never, where a threshold is 0',
      { 'memory.available': { available: 0, capacity: 4096 * MI } },
      '',
      { 'memory.available': '0' },
    ],
    [
      'of several things at once',
      {
        'memory.available': { available: 0, capacity: 1 },
        'nodefs.available': { available: 0, capacity: 1 },
        'pid.available': { available: 0, capacity: 1 },
      },
      'MemoryPressure DiskPressure PIDPressure',
    ],
    ['of nothing that could not be read', {}, ''],
  ];
  test.each(rows.map((row) => [row[0], row] as const))('%s', (_sentence, [, levels, types, texts]) => {
    expect(typesOf(judge(levels, texts))).toBe(types);
  });
});

/** Each character is one look, ten seconds after the one before: `.` enough, `!` too little, `?` unreadable. Answers
 *  what the node said after each: `P` pressure, `.` none. */
function story(looks: string, judgeOne = judgePressure): string {
  let pressure: NodePressure = NO_PRESSURE;
  let said = '';
  for (const [index, look] of [...looks].entries()) {
    const levels: Levels =
      look === '?'
        ? {}
        : { 'memory.available': { available: look === '!' ? 0 : 200 * MI, capacity: 1024 * MI } };
    pressure = judgeOne(pressure, levels, thresholdsOf(), index * 10_000, 40_000);
    said += pressure.MemoryPressure ? 'P' : '.';
  }
  return said;
}

describe('a shortage', () => {
  const ROWS = [
    ['begins at once', '.!', '.P'],
    ['ends when it was not seen for the transition period', '!.....', 'PPPP..'],
    ['does not come and go at the threshold', '!.!.!.!.!.....', 'PPPPPPPPPPPP..'],
    ['goes on while nothing can be read, and not for ever', '!?????', 'PPPP..'],
  ] as const;
  test.each(ROWS)('%s', (_sentence, looks, said) => {
    expect(story(looks)).toBe(said);
  });

  test('without the period would come and go: the table notices', () => {
    const flapping: typeof judgePressure = (before, levels, thresholds, now) =>
      judgePressure(before, levels, thresholds, now, 0);
    expect(ROWS.filter(([, looks, said]) => story(looks, flapping) !== said)).toHaveLength(3);
  });
});

describe('what is said of it', () => {
  const short = judge({
    'nodefs.available': { available: 0, capacity: 1 },
    'imagefs.available': { available: 0, capacity: 1 },
  });

  test('three conditions, in words that stay the same while it lasts', () => {
    expect(pressureConditions(short)).toEqual([
      {
        type: 'MemoryPressure',
        status: 'False',
        reason: 'AgentHasSufficientMemory',
        message: 'There is enough memory.',
      },
      {
        type: 'DiskPressure',
        status: 'True',
        reason: 'AgentHasDiskPressure',
        message: 'nodefs.available is below 10%, imagefs.available is below 15%.',
      },
      {
        type: 'PIDPressure',
        status: 'False',
        reason: 'AgentHasSufficientPID',
        message: 'There are enough PIDs.',
      },
    ]);
  });

  test('rule 4: a taint that every daemon pod tolerates, so that none has to leave or may not come', () => {
    const taints = pressureTaints(
      judge({
        'memory.available': { available: 0, capacity: 1 },
        'nodefs.available': { available: 0, capacity: 1 },
        'pid.available': { available: 0, capacity: 1 },
      }),
    );
    expect(taints).toHaveLength(3);
    expect(decidePlacement({}, { name: 'n', labels: {}, taints }).decision).toBe('Run');
    // The tolerations are by key: another key would not do.
    const strange = taints.map((taint) => ({ ...taint, key: `${taint.key}-too` }));
    expect(decidePlacement({}, { name: 'n', labels: {}, taints: strange }).decision).toBe('Keep');
  });
});

test.each([
  ['100Mi', { text: '100Mi', amount: 100 * MI }],
  ['0', { text: '0', amount: 0 }],
  ['10%', { text: '10%', percent: 10 }],
  ['7.5%', { text: '7.5%', percent: 7.5 }],
  ['101%', undefined],
  ['-1Gi', undefined],
  ['-5%', undefined],
  ['a lot', undefined],
  ['', undefined],
])('the threshold %j', (text, threshold) => {
  expect(parseThreshold(text)).toEqual(threshold);
});
