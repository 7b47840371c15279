// The image of the container that only holds what a pod's containers share: one file that sleeps for ever, made here
// byte by byte, so that no registry is needed for it. About 200 bytes of ELF. It ignores SIGCHLD: where it is the first
// process of the whole pod (shareProcessNamespace), what ends without a parent leaves no zombie.

export const HOLDER_IMAGE = 'fleetset/holder:2';
export const HOLDER_ENTRYPOINT = '/pause';

const LOAD_ADDRESS = 0x400000n;
const HEADERS_SIZE = 64 + 56;

interface Machine {
  /** e_machine of the ELF header. */
  readonly elf: number;
  readonly code: readonly number[];
}

const littleEndian = (...words: readonly number[]): number[] =>
  words.flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, (word >>> 24) & 0xff]);

/** struct sigaction of the kernel: SIG_IGN, no flags, no restorer, no mask. */
const IGNORE = littleEndian(1, 0, 0, 0, 0, 0, 0, 0);
const X86_CODE_SIZE = 34;

const MACHINES: { readonly [architecture: string]: Machine } = {
  x86_64: {
    elf: 62,
    code: [
      // rt_sigaction(SIGCHLD, IGNORE, 0, 8)
      ...[0xb8, 13, 0, 0, 0],
      ...[0xbf, 17, 0, 0, 0],
      ...[0xbe, ...littleEndian(Number(LOAD_ADDRESS) + HEADERS_SIZE + X86_CODE_SIZE)],
      ...[0x31, 0xd2],
      ...[0x41, 0xba, 8, 0, 0, 0],
      ...[0x0f, 0x05],
      // again: mov eax, SYS_pause; syscall; jmp again
      ...[0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7],
      ...IGNORE,
    ],
  },
  aarch64: {
    elf: 183,
    code: [
      ...littleEndian(
        // rt_sigaction(SIGCHLD, IGNORE, 0, 8): x0 = 17, x1 = here + 48, x2 = 0, x3 = 8, x8 = 134; svc
        ...[0xd2800220, 0x10000181, 0xd2800002, 0xd2800103, 0xd28010c8, 0xd4000001],
        // again: ppoll(0, 0, 0, 0) by svc; b again
        ...[0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800928, 0xd4000001, 0x17fffffa],
      ),
      ...IGNORE,
    ],
  },
};

/** The program for this architecture (as `uname -m` names it), or undefined when there is none. */
export function holderProgram(architecture: string): Buffer | undefined {
  const machine = MACHINES[architecture];
  if (!machine) return undefined;
  const file = Buffer.alloc(HEADERS_SIZE + machine.code.length);
  const size = BigInt(file.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // an executable
  file.writeUInt16LE(machine.elf, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(LOAD_ADDRESS + BigInt(HEADERS_SIZE), 24); // entry
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // one segment to load,
  file.writeUInt32LE(5, 68); // readable and executable
  file.writeBigUInt64LE(LOAD_ADDRESS, 80);
  file.writeBigUInt64LE(LOAD_ADDRESS, 88);
  file.writeBigUInt64LE(size, 96);
  file.writeBigUInt64LE(size, 104);
  file.writeBigUInt64LE(0x1000n, 112);
  file.set(machine.code, HEADERS_SIZE);
  return file;
}

/** A tar archive with the program as its only file: a whole root filesystem. */
export function holderArchive(program: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write('pause', 0);
  header.write(octal(0o755, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(program.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)} `, 148);
  const padding = Buffer.alloc((512 - (program.length % 512)) % 512);
  return Buffer.concat([header, program, padding, Buffer.alloc(1024)]);
}
