// Ends the processes of a command whose client is gone, as a closed terminal does: the engine would let them run on.
// The engine makes each command the leader of a session of its own, so the session is all that it began and did not
// deliberately let go of.
import { readdirSync, readFileSync } from 'node:fs';

/** For what hears the hang-up and has something to put in order. */
const GRACE_MS = 3000;
const SIGHUP_BIT = 1n;

/**
 * `leader` is the engine's number: for an agent that counts its processes apart from the engine it names nothing, or
 * something else. Only what is in the container's cgroup is touched.
 */
export function endSession(containerId: string, leader: number): void {
  if (leader <= 1) return;
  const members = () => sessionOf(leader).filter((pid) => isInContainer(containerId, pid));
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

export function isInContainer(containerId: string, pid: number): boolean {
  return read(`/proc/${pid}/cgroup`).includes(containerId);
}

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
