// Devices of the machine that a pod's containers get without being privileged, by an annotation of the template.

export const DEVICES_ANNOTATION = 'fleetset.dev/devices';

export interface PodDevice {
  readonly source: string;
  readonly target: string;
  /** Some of r, w, m. */
  readonly permissions: string;
}

/** As `docker run --device` takes them, with commas between: "/dev/fuse, /dev/sda:/dev/disk:r". */
export function devicesOf(annotations: { readonly [name: string]: string } = {}): readonly PodDevice[] {
  return entries(annotations).flatMap((text) => {
    const device = readDevice(text);
    return device ? [device] : [];
  });
}

/** What cannot be read of it. */
export const deviceProblems = (annotations: { readonly [name: string]: string } = {}): readonly string[] =>
  entries(annotations).filter((text) => !readDevice(text));

const entries = (annotations: { readonly [name: string]: string }): string[] =>
  (annotations[DEVICES_ANNOTATION] ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');

function readDevice(text: string): PodDevice | undefined {
  const [source = '', second, third] = text.split(':');
  const isPath = (part: string | undefined): part is string => part?.startsWith('/') === true;
  const target = isPath(second) ? second : source;
  const permissions = third ?? (isPath(second) ? undefined : second) ?? 'rwm';
  const isWhole = isPath(source) && /^[rwm]{1,3}$/.test(permissions) && text.split(':').length <= 3;
  return isWhole && (third === undefined || isPath(second)) ? { source, target, permissions } : undefined;
}
