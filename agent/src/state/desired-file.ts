// What this node was told last: accepted by its generation, on disk before it counts.
import { join } from 'node:path';
import { DesiredRefused_Reason, type Generation, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { readIfThere, writeDurable } from './durable-file.ts';
import { seal, unseal } from './sealed.ts';

export interface DesiredFile {
  readonly current: () => NodeDesired | undefined;
  /** Undefined when it was accepted (or is what is accepted already). */
  readonly offer: (desired: NodeDesired) => Promise<Refusal | undefined>;
}

export interface Refusal {
  readonly reason: DesiredRefused_Reason;
  readonly message: string;
}

export async function openDesiredFile(
  directory: string,
  onUnreadable: (error: unknown) => void,
): Promise<DesiredFile> {
  const path = join(directory, 'desired.pb');
  let current: NodeDesired | undefined;
  try {
    const content = await readIfThere(path);
    if (content) current = NodeDesired.decode(unseal(content));
  } catch (error) {
    onUnreadable(error);
  }
  return {
    current: () => current,
    offer: async (desired) => {
      const verdict = judge(desired, current);
      if (verdict === 'same') return undefined;
      if (verdict !== 'newer') return verdict;
      try {
        await writeDurable(path, seal(NodeDesired.encode(desired).finish()));
      } catch (error) {
        return { reason: DesiredRefused_Reason.REASON_NOT_STORED, message: (error as Error).message };
      }
      current = desired;
      return undefined;
    },
  };
}

function judge(offered: NodeDesired, current: NodeDesired | undefined): 'newer' | 'same' | Refusal {
  const order = compareGenerations(offered.generation, current?.generation);
  if (!current || order > 0) return 'newer';
  if (order < 0)
    return {
      reason: DesiredRefused_Reason.REASON_OLDER_GENERATION,
      message:
        'a newer desired state was accepted before (a plane restored from a backup, or a second plane?)',
    };
  if (contentOf(offered).equals(contentOf(current))) return 'same';
  return {
    reason: DesiredRefused_Reason.REASON_SAME_GENERATION_OTHER_CONTENT,
    message: 'this generation was accepted with other content before',
  };
}

/** The order of a map means nothing. */
function contentOf(desired: NodeDesired): Buffer {
  const labels = Object.fromEntries(Object.entries(desired.labels).sort(([a], [b]) => (a < b ? -1 : 1)));
  return Buffer.from(NodeDesired.encode({ ...desired, labels }).finish());
}

/** An absent generation is older than any. */
export function compareGenerations(a: Generation | undefined, b: Generation | undefined): number {
  return (a?.epoch ?? 0) - (b?.epoch ?? 0) || (a?.counter ?? 0) - (b?.counter ?? 0);
}
