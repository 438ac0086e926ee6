#!/bin/bash
# A program and its server on loopback, with an open network.
set -e
cat >s.js <<'END'
const http = require('http');
const server = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1', () => {
	http.get({ port: server.address().port, host: '127.0.0.1' }, (r) => {
		r.on('data', (d) => console.log(d.toString()));
		r.on('end', () => server.close());
	});
});
END
node s.js
