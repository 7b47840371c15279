// What a report says again is kept as the object it was in the report before: it is read and checked once, and is not in
// memory twice.
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';

export function withKnownParts(report: NodeReport, before: NodeReport | undefined): NodeReport {
  if (!before) return report;
  const pods = new Map(before.pods.map((pod) => [pod.uid, pod]));
  const known = <T>(part: T, past: T | undefined): T =>
    past !== undefined && sameJson(part, past) ? past : part;
  return {
    ...report,
    facts: known(report.facts, before.facts),
    pods: report.pods.map((pod) => known(pod, pods.get(pod.uid))),
  };
}
