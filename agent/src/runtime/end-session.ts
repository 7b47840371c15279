// Ends the processes of a command whose client is gone, as a closed terminal does, or that ran out of time: the engine
// would let them run on. The engine makes each command the leader of a session of its own, so the session is all that it began and did not
// deliberately let go of.
import { readdirSync, readFileSync } from 'node:fs';

/** For what hears the hang-up and has something to put in order. */
const GRACE_MS = 3000;
const SIGHUP_BIT = 1n;

/** As a terminal that is closed: what asked to outlive it does. */
export function endSession(containerId: string, leader: number): void {
  const members = () => membersOf(containerId, leader);
  for (const pid of members()) {
    signal(pid, 'SIGHUP');
    // What is stopped hears nothing.
    signal(pid, 'SIGCONT');
  }
  const kill = () => {
    for (const pid of members()) if (!ignoresHangUp(pid)) signal(pid, 'SIGKILL');
  };
  setTimeout(kill, GRACE_MS).unref();
}

/** At once, and all of it: the leader alone would leave what it waits for behind. */
export function killSession(containerId: string, leader: number): void {
  // What was begun meanwhile is in the next list; nobody begins anything in a session that is empty.
  for (let members = membersOf(containerId, leader); members.length > 0; ) {
    for (const pid of members) signal(pid, 'SIGKILL');
    const before = new Set(members);
    members = membersOf(containerId, leader).filter((pid) => !before.has(pid));
  }
}

/**
 * `leader` is the engine's number: for an agent that counts its processes apart from the engine it names nothing, or
 * something else. Only what is in the container's cgroup is touched.
 */
const membersOf = (containerId: string, leader: number): number[] =>
  leader <= 1 ? [] : sessionOf(leader).filter((pid) => isInContainer(containerId, pid));

export const isInContainer = (containerId: string, pid: number): boolean =>
  read(`/proc/${pid}/cgroup`).includes(containerId);

const sessionOf = (leader: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      // PID (NAME) STATE PARENT GROUP SESSION ...; a name may hold anything.
      const stat = read(`/proc/${pid}/stat`);
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]) === leader;
    });

/** As nohup has it: it asked to outlive its terminal. */
function ignoresHangUp(pid: number): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
}

/** Empty when the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}
