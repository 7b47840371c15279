// A rollout as people read it: where it stands, and node by node what each has and waits for.

export interface RolloutStatus {
  readonly phase?: string;
  readonly message?: string;
  readonly policy?: string;
  readonly paused?: boolean;
  readonly newestRevision?: string;
  readonly targetRevision?: string;
  readonly stableRevision?: string;
  readonly step?: number;
  readonly stepName?: string;
  readonly awaitsApproval?: boolean;
  readonly maxUnavailable?: number;
  readonly unavailable?: number;
  readonly failures?: { readonly [node: string]: string };
}

export interface NodePlacement {
  readonly spec: { readonly nodeName: string; readonly daemonSetName: string };
  readonly status: {
    readonly decision: string;
    readonly grantedRevision?: string;
    readonly waiting?: string;
    readonly progress?: string;
  };
}

const BAR_WIDTH = 20;

export function describeRollout(
  name: string,
  rollout: RolloutStatus,
  placements: readonly NodePlacement[],
): string {
  const { targetRevision = '', failures = {} } = rollout;
  const rows = [...placements]
    .sort((a, b) => (a.spec.nodeName < b.spec.nodeName ? -1 : 1))
    .map(({ spec, status }) => {
      const failed = failures[spec.nodeName];
      const state = status.grantedRevision === targetRevision ? 'moved' : 'waits';
      const why = [failed ? `failed: ${failed}` : '', status.waiting ?? '', status.progress ?? ''];
      return [
        spec.nodeName,
        status.grantedRevision ?? '-',
        state,
        why.filter((part) => part !== '').join('; '),
      ];
    });
  const moved = placements.filter(({ status }) => status.grantedRevision === targetRevision).length;
  return [
    headline(name, rollout, moved, placements.length),
    ...table([['NODE', 'REVISION', 'STATE', 'WHY'], ...rows]),
  ].join('\n');
}

function headline(name: string, rollout: RolloutStatus, moved: number, all: number): string {
  const {
    phase = 'Progressing',
    message,
    paused,
    step = 0,
    stepName,
    unavailable = 0,
    maxUnavailable = 0,
  } = rollout;
  const filled = all === 0 ? 0 : Math.round((moved / all) * BAR_WIDTH);
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${moved}/${all}`;
  const facts = [
    paused ? 'paused' : '',
    step > 0
      ? `step ${step} (${stepName})${rollout.awaitsApproval ? ' waits for approval: fleetset rollout approve' : ''}`
      : '',
    `${unavailable} of at most ${maxUnavailable} unavailable`,
    `policy: ${rollout.policy}`,
    message ?? '',
  ].filter((fact) => fact !== '');
  return `${name}: ${phase} ${bar} to ${rollout.targetRevision ?? '-'} | ${facts.join(' | ')}`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
