// Tells systemd that the service is up, when it runs under systemd (NOTIFY_SOCKET).
import { execFile } from 'node:child_process';

/** Node has no datagram sockets to speak sd_notify itself; systemd brings a command that does. */
export function notifyReady(environment: NodeJS.ProcessEnv): void {
  if (!environment.NOTIFY_SOCKET) return;
  execFile('systemd-notify', ['--ready', `--pid=${process.pid}`], { env: environment }, (error) => {
    if (error) process.stderr.write(`fleetset: systemd was not told of readiness: ${error.message}\n`);
  });
}
