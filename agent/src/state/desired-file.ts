// What this node was told last: accepted by its generation, on disk before it counts.
import { join } from 'node:path';
import { DesiredRefused_Reason, type Generation, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { MACHINE_FILES, readIfThere, writeDurable } from './durable-file.ts';
import { seal, unseal } from './sealed.ts';

export interface DesiredFile {
  readonly current: () => NodeDesired | undefined;
  /**
   * Undefined when it was accepted (or is what is accepted already). `received` is what the plane sent: it may say
   * more than this agent knows to read, and is kept whole for the one that comes after it.
   */
  readonly offer: (desired: NodeDesired, received?: Uint8Array) => Promise<Refusal | undefined>;
}

export interface Refusal {
  readonly reason: DesiredRefused_Reason;
  readonly message: string;
}

export async function openDesiredFile(
  directory: string,
  onUnreadable: (error: unknown) => void,
  files = MACHINE_FILES,
): Promise<DesiredFile> {
  const path = join(directory, 'desired.pb');
  let current: NodeDesired | undefined;
  let stored: Buffer | undefined;
  try {
    const content = await readIfThere(path, files);
    stored = content && unseal(content);
    current = stored && NodeDesired.decode(stored);
  } catch (error) {
    onUnreadable(error);
  }
  return {
    current: () => current,
    offer: async (desired, received = NodeDesired.encode(desired).finish()) => {
      const refusal = judge(desired, current);
      if (refusal) return refusal;
      if (current && stored?.equals(received)) return undefined;
      try {
        await writeDurable(path, seal(received), 0o600, files);
      } catch (error) {
        return { reason: DesiredRefused_Reason.REASON_NOT_STORED, message: (error as Error).message };
      }
      current = desired;
      stored = Buffer.from(received);
      return undefined;
    },
  };
}

function judge(offered: NodeDesired, current: NodeDesired | undefined): Refusal | undefined {
  const order = compareGenerations(offered.generation, current?.generation);
  if (!current || order > 0) return undefined;
  if (order < 0)
    return {
      reason: DesiredRefused_Reason.REASON_OLDER_GENERATION,
      message:
        'a newer desired state was accepted before (a plane restored from a backup, or a second plane?)',
    };
  if (contentOf(offered).equals(contentOf(current))) return undefined;
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
