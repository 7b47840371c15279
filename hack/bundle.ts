// Bundles the fleetset command into dist/: a start file, chunks that are loaded when a command needs them, and the
// processes that an agent starts. Less memory and a faster start than running from source (docs/adr/0010-bundle.md).
// `node hack/bundle.ts [DIR NAME=FILE...]`: other programs, bundled alike.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

const leftOut = (path: string) =>
  `module.exports = () => { throw new Error(${JSON.stringify(`${path} is left out of this build`)}); };`;

/** What never runs here, or seldom, and would cost memory for good; and what stands in its place. */
const REPLACED = [
  // An engine behind SSH, and building images.
  { filter: /^ssh2$/, importer: /docker-modem/, contents: leftOut },
  { filter: /^\.\/(session|buildkit)$/, importer: /dockerode/, contents: leftOut },
  { filter: /^(tar-fs|@balena\/dockerignore)$/, importer: /dockerode/, contents: leftOut },
  // Messages described while it runs: for gRPC's own channelz and ORCA.
  { filter: /^@grpc\/proto-loader$/, importer: /grpc-js/, contents: leftOut },
  // Logs written by threads.
  { filter: /^\.\/(lib\/)?transport$/, importer: /node_modules\/pino\//, contents: leftOut },
  {
    filter: /^(node:)?worker_threads$/,
    importer: /node_modules\/pino\//,
    contents: () => 'exports.isMainThread = true;',
  },
  // Compression that nobody asked for: loaded when somebody does.
  {
    filter: /^(node:)?zlib$/,
    importer: /grpc-js|dockerode/,
    contents: () => `module.exports = new Proxy({}, { get: (_none, name) => require('node:zlib')[name] });`,
  },
];

const replace: Plugin = {
  name: 'replace',
  setup: ({ onResolve, onLoad }) => {
    for (const [index, { filter, importer, contents }] of REPLACED.entries()) {
      const namespace = `replaced-${index}`;
      onResolve({ filter }, (asked) =>
        importer.test(asked.importer) ? { path: asked.path, namespace } : undefined,
      );
      onLoad({ filter: /.*/, namespace }, ({ path }) => ({ contents: contents(path) }));
    }
  },
};

/**
 * Node's own modules are required, not imported: an import reads every export of a module once, and `http` has some that
 * load a whole HTTP client (undici), `crypto` all of WebCrypto. That is 6 MiB in an agent that uses neither. Only names
 * that somebody imports are read: what esbuild itself puts in an import's place looks at all of them, of `util` too,
 * which loads worker threads, and keeps a function for each in every file.
 */
const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /.*/ }, ({ path, kind }) =>
      isBuiltin(path) && kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: oneByOne(path) }));
  },
};

const oneByOne = (path: string): string =>
  [
    `const all = require(${JSON.stringify(path)});`,
    'export default all;',
    ...Object.keys(process.getBuiltinModule(path) ?? {})
      .filter((name) => name !== 'default' && /^[A-Za-z]\w*$/.test(name))
      .map(
        (name) => `const ${name}_ = /* @__PURE__ */ (() => all.${name})(); export { ${name}_ as ${name} };`,
      ),
  ].join('\n');

const yamlOnce: Plugin = {
  name: 'yaml-once',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^yaml$/ }, ({ importer }) =>
      importer === `${root}cli/src/options.ts` ? { path: `${root}hack/parse-yaml-once.ts` } : undefined,
    ),
};

const FLEETSET = [
  'fleetset=cli/src/main.ts',
  'facts-process=agent/src/facts/facts-process.ts',
  'dial-process=agent/src/forward/dial-process.ts',
];
const [outdir = `${root}/dist`, ...programs] = process.argv.slice(2);
const entryPoints = Object.fromEntries(
  (programs.length > 0 ? programs : FLEETSET).map((program) => program.split('=')),
);

await rm(outdir, { recursive: true, force: true });
await mkdir(outdir, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints,
  outdir,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'linked',
  inject: ['hack/steady-clock.ts'],
  plugins: [replace, yamlOnce, requireBuiltins],
  banner: {
    js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
await build({
  absWorkingDir: root,
  stdin: { contents: "export { parse } from 'yaml';", resolveDir: root },
  outfile: `${outdir}/yaml.cjs`,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'warning',
});
await writeFile(`${outdir}/package.json`, '{ "type": "module" }\n');
