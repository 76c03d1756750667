// A WebSocket server of the ws package (its folder is in WS_PACKAGE): chat.cjs CERT KEY.
// It prints its two ports, sends back what it gets, and closes after two messages.
const fs = require('fs'), http = require('http'), https = require('https');
const {WebSocketServer} = require(process.env.WS_PACKAGE);

const [cert, key] = process.argv.slice(2).map((name) => fs.readFileSync(name));
const servers = [http.createServer(), https.createServer({cert, key})];
let open = servers.length;
for (const server of servers) {
  const chat = new WebSocketServer({server, perMessageDeflate: {threshold: 0}});
  chat.on('connection', (socket) => {
    let seen = 0;
    socket.on('message', (data, binary) => {
      socket.send(data, {binary}, () => { if (++seen === 2) socket.close(1008, 'that is enough'); });
    });
  });
  server.listen(0, '127.0.0.1', () => {
    if (--open === 0) console.log(servers.map((s) => s.address().port).join(' '));
  });
}
