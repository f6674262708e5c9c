'use strict';

// A web server of somebody else: tells its parent each request, and answers each with an error. Arguments: address, port.

const http = require('node:http');

const server = http.createServer(async (req, res) => {
  let body = '';
  for await (const chunk of req) body += chunk;
  process.send?.({ authorization: req.headers.authorization, body });
  res.writeHead(404, { 'Content-Type': 'application/json' }).end('{"error":"not found"}');
});
server.listen(Number(process.argv[3]), process.argv[2]);
process.on('disconnect', () => process.exit(0));
