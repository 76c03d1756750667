// why403: makes a Node that ignores the proxy of the environment use it. It
// changes http, https, fetch and undici of this process, and does nothing where
// Node can do it itself (NODE_USE_ENV_PROXY: 22.21, 24.5) or another one is at work.
'use strict';
(() => {
  const mark = Symbol.for('why403');
  const text = process.env.HTTPS_PROXY || process.env.https_proxy;
  if (globalThis[mark] || !text) return;
  if (process.env.NODE_USE_ENV_PROXY && process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) return;
  let proxy;
  try { proxy = new URL(text); } catch { return; }
  if (proxy.protocol !== 'http:') return;
  globalThis[mark] = true;

  const net = require('net'), tls = require('tls'), http = require('http'), https = require('https');
  const bare = (host) => host.replace(/^\[|\]$/g, '');
  const proxyHost = bare(proxy.hostname), proxyPort = +proxy.port || 80;
  const exceptions = (process.env.no_proxy || process.env.NO_PROXY || '').split(/[\s,]+/).filter(Boolean)
    .map((e) => e.replace(/^\*?\./, '').toLowerCase());

  // direct reports whether host is not to go through the proxy, or is the proxy.
  const direct = (host, port) => (host === proxyHost && +port === proxyPort) ||
    exceptions.some((e) => e === '*' || e === host || host.endsWith('.' + e));

  const serverName = (o, host) => o.servername || (net.isIP(host) ? undefined : host);

  // tunnel opens a connection to host:port through the proxy (RFC 9110, 9.3.6).
  function tunnel(host, port, cb) {
    const s = net.connect(proxyPort, proxyHost);
    let head = Buffer.alloc(0);
    const end = (err) => {
      s.removeListener('data', read); s.removeListener('error', end); s.removeListener('close', closed);
      if (err) { s.destroy(); cb(err); } else cb(null, s);
    };
    const closed = () => end(new Error('the proxy closed the connection'));
    const read = (chunk) => {
      head = Buffer.concat([head, chunk]);
      const i = head.indexOf('\r\n\r\n');
      if (i < 0) { if (head.length > 65536) end(new Error('the proxy answered no HTTP')); return; }
      const line = head.toString('latin1', 0, head.indexOf('\r\n'));
      if (!/^HTTP\/1\.[01] 2\d\d/.test(line)) return end(new Error('the proxy answered ' + line));
      if (head.length > i + 4) s.unshift(head.subarray(i + 4));
      end(null);
    };
    s.setNoDelay(true);
    s.on('error', end); s.on('close', closed); s.on('data', read);
    s.once('connect', () => {
      const to = (net.isIPv6(host) ? `[${host}]` : host) + ':' + port;
      s.write(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\nUser-Agent: node/${process.version}\r\n\r\n`);
    });
  }

  function through(agent, secure) {
    const original = agent.prototype.createConnection;
    agent.prototype.createConnection = function (o, cb) {
      const host = bare(String(o.host || o.hostname || 'localhost')), port = o.port || (secure ? 443 : 80);
      if (o.socketPath || o.path && !o.host || typeof cb !== 'function' || direct(host.toLowerCase(), port)) return original.apply(this, arguments);
      tunnel(host, port, (err, s) => {
        if (err) return cb(err);
        cb(null, secure ? tls.connect({ ...o, socket: s, host, servername: serverName(o, host) }) : s);
      });
    };
  }
  through(http.Agent, false);
  through(https.Agent, true);

  void globalThis.Headers; // loads the undici that is built in
  const key = Symbol.for('undici.globalDispatcher.1'), usual = globalThis[key];
  if (!usual || usual.constructor.name !== 'Agent') return;
  const connect = (o, cb) => {
    const secure = o.protocol === 'https:', host = bare(o.hostname), port = o.port || (secure ? 443 : 80);
    const plain = (err, s) => {
      if (err) return cb(err);
      if (!secure) return cb(null, s);
      const t = tls.connect({ socket: s, host, servername: serverName(o, host), ALPNProtocols: ['http/1.1'] });
      t.once('error', cb);
      t.once('secureConnect', () => { t.removeListener('error', cb); cb(null, t); });
    };
    if (!direct(host.toLowerCase(), port)) return tunnel(host, port, plain);
    const s = net.connect(port, host);
    s.once('error', cb);
    s.once('connect', () => { s.removeListener('error', cb); plain(null, s); });
  };
  globalThis[key] = new usual.constructor({ connect });
})();
