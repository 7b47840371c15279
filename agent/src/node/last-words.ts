// What ended containers left to say: from their termination log or, where that is wanted and nothing is there, from the
// end of their output. Read once for each.
import { allContainers, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ContainerRuntime, RuntimeContainer } from '../runtime/container-runtime.ts';
import type { TerminationLogs } from '../state/termination-logs.ts';

export interface LastWordsParts {
  readonly runtime: ContainerRuntime;
  readonly logs: TerminationLogs;
  readonly templateOf: (pod: PodRecord) => PodTemplateSpec | undefined;
  /** Something was read. */
  readonly onChange: () => void;
  readonly signal: AbortSignal;
}

export interface LastWords {
  readonly of: (containerId: string) => string | undefined;
  /** All containers that there are. */
  readonly sync: (containers: readonly RuntimeContainer[]) => void;
}

/** As kubelet shows of a log at most. */
const LOG_LINES = 80;
const LOG_BYTES = 2048;

export function createLastWords(parts: LastWordsParts): LastWords {
  /** By container; empty while it is being read, or when there is nothing. */
  const words = new Map<string, string>();
  const read = async (container: RuntimeContainer, spec: Container) => {
    const text = await readWords(parts, container, spec).catch(() => '');
    if (text === '' || !words.has(container.id)) return;
    words.set(container.id, text);
    parts.onChange();
  };
  return {
    of: (id) => words.get(id) || undefined,
    sync: (containers) => {
      const present = new Set(containers.map(({ id }) => id));
      for (const id of words.keys()) if (!present.has(id)) words.delete(id);
      for (const container of containers) {
        if (container.state !== 'exited' || words.has(container.id)) continue;
        const template = parts.templateOf(container.identity.pod);
        const spec =
          template?.spec && allContainers(template.spec).find(({ name }) => name === container.identity.name);
        if (!spec) continue;
        words.set(container.id, '');
        void read(container, spec);
      }
    },
  };
}

async function readWords(
  { runtime, logs, signal }: LastWordsParts,
  { id, identity, exitCode }: RuntimeContainer,
  spec: Container,
): Promise<string> {
  const said = await logs.read(identity.pod.uid, identity.name, identity.attempt);
  if (said !== '' || spec.terminationMessagePolicy !== 'FallbackToLogsOnError' || exitCode === 0) return said;
  const options = { follow: false, timestamps: false, tailLines: LOG_LINES };
  let end = Buffer.alloc(0);
  for await (const piece of await runtime.logs(id, options, signal))
    end = Buffer.concat([end, piece]).subarray(-LOG_BYTES);
  return end.toString('utf8');
}
