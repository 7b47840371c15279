// What the plane's API is measured against: node:https and node:sqlite, doing the same bytes and nothing else. Objects
// are in a table as text; a list is their texts, a write is on the disk before it is answered, a watch is told each.
// `node plain-server.ts DATA-DIR`: reads the plane's file and key there, says its port in one line.
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openAuthority } from '@fleetset/plane/identity/authority';

const dataDir = process.argv[2] ?? '';
const authority = await openAuthority(join(dataDir, 'pki'));
const { key, certificate } = await authority.serverIdentity(['127.0.0.1']);
const database = new DatabaseSync(join(dataDir, 'plain.db'));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
database.exec('CREATE TABLE IF NOT EXISTS objects (path TEXT PRIMARY KEY, kind TEXT, value TEXT) STRICT');
database.exec(`ATTACH '${join(dataDir, 'plane.db')}' AS plane`);
database.exec(
  "INSERT INTO objects SELECT collection || '/' || id, collection, value FROM plane.objects WHERE collection IN ('core/pods', 'core/nodes')",
);
database.exec('DETACH plane');
const list = database.prepare('SELECT value FROM objects WHERE kind = ? ORDER BY path');
const put = database.prepare('INSERT OR REPLACE INTO objects (path, kind, value) VALUES (?, ?, ?)');
const watchers = new Set<ServerResponse>();

const server = createServer(
  { key, cert: certificate, ca: authority.caCertificate, requestCert: true, rejectUnauthorized: false },
  (request, response) => {
    const url = new URL(request.url ?? '/', 'https://plain');
    const json = { 'Content-Type': 'application/json' };
    if (request.method === 'GET' && url.searchParams.has('watch')) {
      response.writeHead(200, json).flushHeaders();
      watchers.add(response);
      response.on('close', () => watchers.delete(response));
    } else if (request.method === 'GET') {
      const kind = url.pathname.endsWith('nodes') ? 'core/nodes' : 'core/pods';
      const items = list.all(kind).map(({ value }) => value);
      const body = `{"kind":"List","apiVersion":"v1","metadata":{},"items":[${items.join(',')}]}`;
      response.writeHead(200, { ...json, 'Content-Length': Buffer.byteLength(body) }).end(body);
    } else {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        put.run(url.pathname, 'written', body);
        response.writeHead(200, { ...json, 'Content-Length': Buffer.byteLength(body) }).end(body);
        const line = `{"type":"MODIFIED","object":${body}}\n`;
        for (const watcher of watchers) watcher.write(line);
      });
    }
  },
);
server.listen(0, '127.0.0.1', () =>
  process.stdout.write(`${JSON.stringify({ apiPort: (server.address() as AddressInfo).port })}\n`),
);
