// Requests by one of Node's HTTP clients: client.cjs KIND URL CA [PROXY].
// KIND is http (node:http, node:https), fetch, or ws. What came back is printed, a line each.
const fs = require('fs'), http = require('http'), https = require('https'), net = require('net'), tls = require('tls');

const [kind, base, caFile, proxy] = process.argv.slice(2);
const ca = fs.readFileSync(caFile), where = new URL(base), secure = where.protocol === 'https:';
const port = Number(where.port);

// tunnel gives a connection to where, through the proxy if there is one.
function tunnel(done) {
  const dress = (socket) => {
    if (!secure) return done(null, socket);
    const s = tls.connect({socket, servername: where.hostname, ca, ALPNProtocols: ['http/1.1']}, () => done(null, s));
    s.on('error', done);
  };
  if (!proxy) {
    const s = net.connect(port, where.hostname, () => dress(s));
    return s.on('error', done);
  }
  const [host, proxyPort] = proxy.split(':');
  const c = http.request({host, port: proxyPort, method: 'CONNECT', path: where.host, agent: false});
  c.on('connect', (r, socket) => r.statusCode === 200 ? dress(socket) : done(new Error('CONNECT ' + r.statusCode)));
  c.on('error', done).end();
}

const cases = [
  ['GET', '/get?x=%7E', null, {}],
  ['POST', '/post', '{"marker":"node-json"}', {'Content-Type': 'application/json', 'X-lower': '1', 'x-UPPER': '2'}],
  ['PUT', '/put', Buffer.from('\x00\xffnode-bytes', 'latin1'), {}],
  ['DELETE', '/delete', null, {}],
  ['HEAD', '/head', null, {}],
];

async function viaHTTP() {
  const plain = proxy && !secure; // absolute URLs to the proxy, as its users send them
  for (const [method, path, body, headers] of [...cases, ['POST', '/chunked', ['first ', 'node-chunked'], {}]]) {
    await new Promise((done, fail) => {
      const go = (socket) => {
        const o = {method, path: plain ? base + path : path, headers: {Host: where.host, ...headers}};
        if (plain) { o.agent = false; [o.host, o.port] = proxy.split(':'); } else o.createConnection = () => socket;
        const q = http.request(o, (r) => {
          let text = '';
          r.on('data', (d) => { text += d; }).on('end', () => { console.log(r.statusCode, text); done(); });
        });
        q.on('error', fail);
        if (Array.isArray(body)) { for (const part of body) q.write(part); q.end(); } else q.end(body ?? undefined);
      };
      if (plain) return go();
      tunnel((err, socket) => err ? fail(err) : go(socket));
    });
  }
}

async function viaFetch() {
  await fetch('data:,'); // makes undici put its dispatcher in place
  const key = Symbol.for('undici.globalDispatcher.1');
  const Agent = globalThis[key].constructor;
  globalThis[key] = new Agent({connect: (_, done) => tunnel(done), pipelining: 1});
  for (const [method, path, body, headers] of cases) {
    const r = await fetch(base + path, {method, body, headers});
    console.log(r.status, await r.text());
  }
  globalThis[key].close();
}

// viaWS speaks with the ws package, whose folder is in WS_PACKAGE.
function viaWS() {
  const WebSocket = require(process.env.WS_PACKAGE);
  const at = base.replace(/^http/, 'ws') + '/chat';
  tunnel((err, socket) => {
    if (err) throw err;
    const s = new WebSocket(at, ['a', 'b'], {createConnection: () => socket, perMessageDeflate: {threshold: 0}});
    s.on('open', () => {
      s.send('node-socket '.repeat(20), {fin: false});
      s.send('and the end');
      s.ping('are you there');
      s.send(Buffer.from([0, 1, 255]));
    });
    s.on('message', (data, binary) => console.log(binary ? 'bytes ' + data.toString('hex') : 'text ' + data));
    s.on('pong', (data) => console.log('pong ' + data));
    s.on('close', (code, reason) => console.log('closed', code, String(reason)));
    s.on('error', (e) => console.log('error', e.message));
  });
}

({http: viaHTTP, fetch: viaFetch, ws: viaWS})[kind]();
