// Reads the status that an agent sends of its node or of a pod. Fields that this plane does not know are left out: an
// agent may be newer. What has the wrong type is refused as a whole, with the names of the fields.
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { type Node, type NodeStatus, node } from '@fleetset/scheduler-core/schema/node';
import { type Pod, type PodStatus, pod } from '@fleetset/scheduler-core/schema/pod';

export type ReportedStatus<T> = { readonly status: T } | { readonly problem: string };

interface Reported {
  readonly statusJson: string;
}

export const readNodeStatus = readOnce<NodeStatus>((json) =>
  read(json, (parsed) => {
    const { value, errors } = decode(node, { status: parsed });
    return { status: (value as Node).status ?? {}, errors };
  }),
);

export const readPodStatus = readOnce<PodStatus>((json) =>
  read(json, (parsed) => {
    const { value, errors } = decode(pod, { status: parsed });
    return { status: (value as Pod).status ?? {}, errors };
  }),
);

/** What is the same in the next report is the same object there. */
function readOnce<T>(
  readAnew: (json: string) => ReportedStatus<T>,
): (reported: Reported) => ReportedStatus<T> {
  const known = new WeakMap<Reported, ReportedStatus<T>>();
  return (reported) => {
    const before = known.get(reported);
    if (before) return before;
    const made = readAnew(reported.statusJson);
    known.set(reported, made);
    return made;
  };
}

function read<T>(
  json: string,
  decoded: (parsed: unknown) => { readonly status: T; readonly errors: readonly string[] },
): ReportedStatus<T> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json || '{}');
  } catch {
    return { problem: 'status: it is not JSON' };
  }
  const { status, errors } = decoded(parsed);
  return errors.length > 0 ? { problem: errors.join(', ') } : { status };
}
