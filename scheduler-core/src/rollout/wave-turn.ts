// Which wave is under way, and what the next one waits for.
import { type Approval, approvedWaves, ignoredText } from './approval.ts';
import { brokenIn, withoutBroken } from './broken-nodes.ts';
import { type Pacing, stepTitle, type Wave } from './pacing.ts';
import { everyNode, type RolloutNodes } from './resting-nodes.ts';
import { effectiveRevision, type RolloutNode } from './rollout-node.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { hasAvailable, haveAvailable } from './rollout-times.ts';
import { isWaveThere, nodesOfWave, type Waves } from './waves.ts';

export interface Turn {
  readonly wave: number;
  /** Why the next wave does not begin. */
  readonly waitsFor: string;
  /** The last wave is there, and has been long enough. */
  readonly soaked: boolean;
  /** When the wave under way has been available long enough, if nothing happens. */
  readonly soakedAt?: number;
}

/** From the wave of the record on: waves that are there and have soaked are behind us. */
export function waveUnderWay(
  record: RolloutRecord,
  { waves, soakMs }: Pacing,
  assigned: Waves,
  fleet: RolloutNodes & { readonly now: number; readonly approval?: Approval },
  times: Pick<RolloutTimes, 'target' | 'availableAt' | 'onceAvailable'>,
): Turn {
  const { now, approval } = fleet;
  const approved = approvedWaves(approval, record);
  const isBroken = brokenIn(record);
  /** Somebody would move with this wave or after it: where nobody would, nothing is left to approve. */
  const somebodyComes = (wave: number) => assigned.coming.slice(wave).some((count) => count > 0);
  /** Whichever wave it is sorted into now, it was granted the target before the next wave begins. */
  const isFirstTime = (node: RolloutNode) =>
    effectiveRevision(node) === times.target &&
    !hasAvailable(node, times.target) &&
    !times.onceAvailable.has(node.name) &&
    !isBroken(node);
  const somebodyIsOnTheWay = fleet.nodes.some(isFirstTime);
  const isThere = (wave: number) =>
    waves.length === 0
      ? haveAvailable(withoutBroken(fleet, record), times.target)
      : isWaveThere(assigned, wave, (node) => isBroken(node) || hasAvailable(node, times.target));
  const soaking = (wave: number) =>
    (waves.length === 0 ? everyNode(fleet) : nodesOfWave(assigned, wave)).filter((node) => !isBroken(node));
  for (let wave = Math.min(record.wave, waves.length); ; wave++) {
    const name = nameOf(waves, wave);
    if (needsApproval(waves, wave, approved) && somebodyComes(wave))
      return {
        wave,
        waitsFor: `${name} waits for approval${ignoredText(approval, record)}`,
        soaked: false,
      };
    if (somebodyIsOnTheWay || !isThere(wave))
      return { wave, waitsFor: `${name} is under way`, soaked: false };
    const soaksFor = waves[wave]?.soakMs ?? soakMs;
    const soakedAt = soaksFor > 0 ? lastOf(soaking(wave), times, now) + soaksFor : now;
    if (soakedAt > now)
      return { wave, waitsFor: `${name} is watched (soakSeconds)`, soaked: false, soakedAt };
    if (wave === waves.length) return { wave, waitsFor: '', soaked: true };
  }
}

/** When the last of them became available. */
const lastOf = (
  own: readonly RolloutNode[],
  { availableAt }: Pick<RolloutTimes, 'availableAt'>,
  now: number,
): number =>
  own.reduce((latest, { name }) => Math.max(latest, availableAt.get(name) ?? now), Number.NEGATIVE_INFINITY);

/** `approved`: how many waves are, from the first. */
export const needsApproval = (waves: readonly Wave[], wave: number, approved: number): boolean =>
  waves[wave]?.manual === true && approved <= wave;

const nameOf = (waves: readonly Wave[], wave: number): string =>
  waves[wave] ? stepTitle(waves[wave].name) : 'the last step';
