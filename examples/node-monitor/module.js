'use strict';
// What every spoolhost module does, whatever its language: the handshake, mutual TLS, the
// end with the host, Describe, Drain and Settle, and errors with their Win32 codes. monitor.js is
// the monitor itself.

const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');
const selfsigned = require('selfsigned');

// spoolerr.Kind, and the Win32 code and gRPC status of each.
const kinds = {
  Internal: [0, 31, grpc.status.INTERNAL],
  Invalid: [1, 87, grpc.status.INVALID_ARGUMENT],
  NotFound: [2, 1168, grpc.status.NOT_FOUND],
  Exists: [3, 183, grpc.status.ALREADY_EXISTS],
  Denied: [4, 5, grpc.status.PERMISSION_DENIED],
  Busy: [5, 170, grpc.status.FAILED_PRECONDITION],
  Unavailable: [8, 1167, grpc.status.UNAVAILABLE],
  Unsupported: [9, 50, grpc.status.UNIMPLEMENTED],
  Cancelled: [10, 1223, grpc.status.CANCELLED],
  BadHandle: [16, 6, grpc.status.NOT_FOUND],
  Precondition: [18, 1906, grpc.status.FAILED_PRECONDITION],
};

// Failure is an error that names its kind, its Win32 code, the object and the remedy.
class Failure extends Error {
  constructor(kind, message, code) {
    super(message);
    [this.kind, this.win32, this.status] = kinds[kind];
    this.win32 = code || this.win32;
  }
}

const wireTypes = protobuf.parse(`
  syntax = "proto3";
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Any { string type_url = 1; bytes value = 2; }
  message ErrorDetail { uint32 kind = 1; uint32 win32_code = 2; }
`, { keepCase: true }).root;
const Status = wireTypes.lookupType('Status');
const ErrorDetail = wireTypes.lookupType('ErrorDetail');

// toStatus gives the gRPC error for a failure; the detail carries kind and Win32 code.
function toStatus(err) {
  const f = err instanceof Failure ? err : new Failure('Internal', err.message);
  const detail = ErrorDetail.encode({ kind: f.kind, win32_code: f.win32 }).finish();
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(Status.encode({
    code: f.status, message: f.message,
    details: [{ type_url: 'type.googleapis.com/spoolhost.plugin.v1.ErrorDetail', value: detail }],
  }).finish()));
  return { code: f.status, details: f.message, metadata };
}

// win32 reads the Win32 code of an error that the host answered, or 0.
function win32(err) {
  const [raw] = (err.metadata && err.metadata.get('grpc-status-details-bin')) || [];
  if (!raw) return 0;
  const [detail] = Status.decode(raw).details;
  return detail ? ErrorDetail.decode(detail.value).win32_code : 0;
}

// protos is where the .proto files are: beside an installed module, or in the checkout.
const protos = process.env.SPOOLHOST_PROTO || path.join(__dirname, '..', '..', 'proto');

function load(file) {
  const definition = loader.loadSync(file, { includeDirs: [protos], keepCase: true, longs: String, defaults: true });
  return grpc.loadPackageDefinition(definition).spoolhost;
}

// host gives the host's services: each is called with a request, and gives a promise.
function host() {
  const { hostservice } = load('spoolhost/hostservice/v1/registry.proto');
  const { hostservice: callbacks } = load('spoolhost/hostservice/v1/spooler.proto');
  const address = 'unix:' + process.env.SPOOLHOST_HOST_ADDR;
  const promised = (client) => (method, request) => new Promise((resolve, reject) => {
    client[method](request, (err, answer) => (err ? reject(err) : resolve(answer)));
  });
  const insecure = grpc.credentials.createInsecure(); // the socket is private to this process
  return {
    registry: promised(new hostservice.v1.MonitorRegistry(address, insecure)),
    spooler: promised(new callbacks.v1.Spooler(address, insecure)),
  };
}

// dieWithHost ends the process when the host is gone: two senders must never print one
// document. The host holds the other end of this pipe, and never writes to it.
function dieWithHost() {
  const fd = Number(process.env.SPOOLHOST_LIFELINE_FD);
  if (!(fd >= 3)) return;
  const end = () => {
    try {
      process.kill(-process.pid, 'SIGKILL'); // with everything it started; it leads its group
    } catch { /* it does not */ }
    process.exit(1);
  };
  fs.createReadStream(null, { fd, autoClose: false }).on('data', () => {}).on('end', end).on('error', end);
}

// serve runs the process as a module of the kind "monitor" until the host ends it.
function serve(description, methods) {
  if (process.env.SPOOLHOST_MODULE !== 'a5c1f1c2-spoolhost-module') {
    console.error(`${description.name} is a spoolhost module: it is started by a host, not by hand`);
    process.exit(1);
  }
  dieWithHost();
  const gate = newGate();
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 16 << 20 });
  server.addService(load('spoolhost/plugin/v1/plugin.proto').plugin.v1.Plugin.service, {
    Describe: (call, answer) => answer(null, { kind: 'monitor', ...description }),
    Drain: (call, answer) => gate.drain(call).then(() => answer(null, {}), (err) => answer(toStatus(err))),
    Settle: (call, answer) => gate.settle(call).then(() => answer(null, {}), (err) => answer(toStatus(err))),
  });
  const handlers = {};
  for (const [name, method] of Object.entries(methods)) {
    handlers[name] = (call, answer) => gate.pass(call, () => method(call.request, call)).then((a) => answer(null, a || {}), (err) => answer(toStatus(err)));
  }
  server.addService(load('spoolhost/monitor/v2/monitor.proto').monitor.v2.PrintMonitor.service, handlers);
  listen(server);
}

// newGate knows the open calls, so that Drain can wait for all of them, and Settle for
// those that the host has given up.
function newGate() {
  const open = new Map(); // from a call to the promise of its end
  let closed = false;
  const ended = (calls, asked) => new Promise((resolve, reject) => {
    Promise.allSettled(calls).then(resolve);
    asked.on('cancelled', () => reject(new Failure('Cancelled', 'calls are still open')));
  });
  return {
    pass(call, fn) {
      if (closed) return Promise.reject(new Failure('Unavailable', 'the module is draining and takes no new calls'));
      const end = Promise.resolve().then(fn).finally(() => open.delete(call));
      open.set(call, end);
      return end;
    },
    drain(asked) {
      closed = true;
      return ended([...open.values()], asked);
    },
    settle(asked) {
      return ended([...open].filter(([call]) => call.cancelled).map(([, end]) => end), asked);
    },
  };
}

// listen makes the socket and the certificate, and says both in the handshake line:
// core version | protocol version | network | address | protocol | certificate
function listen(server) {
  const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR, `module-${process.pid}`);
  const own = selfsigned.generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048, days: 365, algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  });
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(process.env.PLUGIN_CLIENT_CERT), // nobody but the host that started this process
    [{ private_key: Buffer.from(own.private), cert_chain: Buffer.from(own.cert) }], true);
  server.bindAsync('unix:' + socket, credentials, (err) => {
    if (err) {
      console.error(err.message);
      process.exit(1);
    }
    const der = own.cert.replace(/-----[^-]+-----|\s/g, '').replace(/=+$/, ''); // base64 without padding
    fs.writeSync(1, `1|1|unix|${socket}|grpc|${der}\n`);
  });
}

// log writes a line that the host shows with its level.
function log(level, message, fields) {
  console.error(JSON.stringify({ '@level': level, '@message': message, ...fields }));
}

module.exports = { Failure, host, log, serve, win32 };
