// What `kubectl rollout history` shows of a revision that failed: its verdict, after what people wrote as the cause of
// the change. The verdict is kept apart as well, so that it can be taken away again, and nothing else with it.
import type { HistoryPlan } from '@fleetset/scheduler-core/revision-history';
import type { RolloutRecord } from '@fleetset/scheduler-core/rollout/rollout-record';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';

export const CHANGE_CAUSE = 'kubernetes.io/change-cause';
const VERDICT = 'fleetset.dev/verdict';
const COLLECTION = 'apps/controllerrevisions';

type Annotations = Readonly<Record<string, string>>;

export function verdictNote(
  store: Store,
  { current, write }: Pick<HistoryPlan, 'current' | 'write'>,
  record: RolloutRecord,
): Write[] {
  // While it is tried again it is still the revision that failed.
  if (write !== 'nothing' || record.phase === 'Progressing') return [];
  const before = current.metadata?.annotations ?? {};
  const verdict = verdictOf(record);
  if (verdict === before[VERDICT]) return [];
  const id = `${current.metadata?.namespace}/${current.metadata?.name}`;
  const stored = store.get(COLLECTION, id);
  if (!stored) return [];
  const { metadata } = stored.value as unknown as KubeObject;
  const value = { ...stored.value, metadata: { ...metadata, annotations: annotated(before, verdict) } };
  return [{ collection: COLLECTION, id, value, expect: stored.version, durable: true }];
}

function verdictOf({ phase, stable, message }: RolloutRecord): string | undefined {
  if (phase === 'Complete') return undefined;
  return phase === 'Stopped' ? `stopped: ${message}` : `failed, back to ${stable}: ${message}`;
}

function annotated(before: Annotations, verdict: string | undefined): Annotations {
  const { [CHANGE_CAUSE]: text, [VERDICT]: last, ...others } = before;
  const cause = withoutVerdict(text, last);
  const now = [cause, cause && verdict ? `[${verdict}]` : verdict].filter(Boolean).join(' ');
  return {
    ...others,
    ...(now === '' ? {} : { [CHANGE_CAUSE]: now }),
    ...(verdict === undefined ? {} : { [VERDICT]: verdict }),
  };
}

/** What people wrote over it meanwhile is theirs. */
function withoutVerdict(text: string | undefined, verdict: string | undefined): string | undefined {
  if (verdict === undefined || text === undefined) return text;
  if (text === verdict) return undefined;
  const suffix = ` [${verdict}]`;
  return text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
}
