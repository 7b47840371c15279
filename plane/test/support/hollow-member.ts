// A joined node with its stream open, saying what the test lets it say; the usual words of most tests.
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Json } from './api-client.ts';
import { type HollowIdentity, type HollowStream, joinPlane, openSync } from './hollow-agent.ts';
import { generationOf, newest, report } from './reports.ts';
import type { TestPlane } from './test-plane.ts';
import { until } from './until.ts';

export interface HollowMember {
  readonly name: string;
  readonly identity: HollowIdentity;
  readonly stream: HollowStream;
  /** Reports under the newest generation it was told. */
  readonly report: (more?: Partial<NodeReport>) => void;
  /** The revision that the node may run of this DaemonSet, once it is granted. */
  readonly granted: (set: Json) => Promise<string>;
  /** Opens its stream anew, to the plane as it runs now. */
  readonly reconnect: () => Promise<void>;
  readonly leave: () => void;
}

let count = 0;

/** Connected, and told what it is to do. */
export async function joinMember(plane: TestPlane, name = `member-${++count}`): Promise<HollowMember> {
  const identity = await joinPlane(plane, name);
  let stream = openSync(plane, identity);
  await stream.hear('desired');
  return {
    name,
    identity,
    get stream() {
      return stream;
    },
    report: (more = {}) =>
      stream.say({ $case: 'report', value: report(name, { generation: generationOf(stream), ...more }) }),
    granted: (set) =>
      until(`${name} is granted ${set.metadata.name}`, () => {
        const told = newest(stream)?.daemonSets.find(({ uid }) => uid === set.metadata.uid);
        return told?.revision || undefined;
      }).then(String),
    reconnect: async () => {
      const accepted = generationOf(stream);
      stream.close();
      stream = openSync(plane, identity, accepted ? { accepted } : {});
      await stream.hear('desired');
    },
    leave: () => stream.close(),
  };
}
