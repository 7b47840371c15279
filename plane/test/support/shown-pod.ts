// A pod of a DaemonSet of its own, on a hollow node, as the API shows it.
import type { Json } from './api-client.ts';
import type { HollowMember } from './hollow-member.ts';
import { daemonSet, PODS, SETS } from './manifests.ts';
import { placement, podReport } from './reports.ts';
import type { TestPlane } from './test-plane.ts';
import { until } from './until.ts';

/** With these containers; each member has one such pod at a time. */
export async function showPod(
  plane: TestPlane,
  member: HollowMember,
  name: string,
  containers: readonly string[] = ['main'],
): Promise<Json> {
  const pod = { containers: containers.map((container) => ({ name: container, image: 'i' })) };
  const set = await plane.api.ok('POST', SETS, daemonSet(name, { pod }));
  const placements = [placement(set, 'Run')];
  member.report({ placements });
  const report = podReport(set, await member.granted(set));
  member.report({ placements, pods: [report] });
  await until('mirrored', async () => (await plane.api.call('GET', `${PODS}/${report.name}`)).status === 200);
  return report;
}
