'use strict';
// A port monitor in JavaScript: it sends documents as they are to a TCP port.

const net = require('net');
const { Failure, host, log, serve, win32 } = require('./module.js');

const { registry, spooler } = host();
const administer = 1; // SERVER_ACCESS_ADMINISTER
const aborted = 0x4 | 0x800; // JOB_STATUS_DELETING, JOB_STATUS_RESTART
const sentToPrinter = 6; // JOB_CONTROL_SENT_TO_PRINTER
const patience = 1000; // ms that one call waits for a printer that takes nothing

// Everything the host knows by handle. Whatever an instance knows hangs off its entry:
// nothing else is kept in this module.
let last = 0;
const instances = new Map(), ports = new Map(), channels = new Map();

function add(map, value) {
  map.set(String(++last), value);
  return String(last);
}

function get(map, handle) {
  const value = map.get(handle);
  if (!value) throw new Failure('BadHandle', `handle ${handle} is not open`);
  return value;
}

const quote = (name) => JSON.stringify(String(name).slice(0, 64));

// Ports are values of the instance's registry: the name is the port's, the REG_SZ its address.
async function address(instance, name) {
  try {
    const { value } = await registry('QueryValue', { spooler: instance.token, key: instance.root, name });
    return text(value.data);
  } catch (err) {
    if (win32(err) === 2) throw new Failure('NotFound', `port ${quote(name)} does not exist; add it`, 1796);
    throw err;
  }
}

const text = (data) => Buffer.from(data).toString('utf16le').replace(/\0.*$/s, '');

async function enumPorts(instance) {
  const list = [];
  for (let index = 0; ; index++) {
    try {
      const { value } = await registry('EnumValue', { spooler: instance.token, key: instance.root, index });
      list.push({ name: value.name, description: text(value.data), type: 1 | 8 });
    } catch (err) {
      if (win32(err) === 259) return list; // ERROR_NO_MORE_ITEMS
      throw err;
    }
  }
}

// decode reads the input of a command, which comes from the caller unchecked: the JSON of
// portconfig, or a name in UTF-16 with its NUL.
function decode(input) {
  const invalid = (why) => new Failure('Invalid', `the port's configuration cannot be read: ${why}`, 13);
  if (input.length > 64 << 10) throw invalid('it is longer than 64 KiB');
  if (input.length >= 2 && input.length % 2 === 0 && input.indexOf('\0\0', input.length - 2) >= 0) return { name: text(input), settings: {} };
  let config;
  try {
    config = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(input));
  } catch {
    throw invalid('it is not JSON');
  }
  const { name, settings = {}, ...rest } = Object(config);
  if (typeof name !== 'string' || typeof settings !== 'object' || settings === null || Object.keys(rest).length) throw invalid('give {"name": ..., "settings": {...}}');
  if (!/^[^\p{C},]{1,220}$/u.test(name) || name !== name.trim()) throw new Failure('Invalid', `port name ${quote(name)} will not do`, 123);
  return { name, settings };
}

async function set(instance, input, mustBeNew) {
  const { name, settings } = decode(input);
  const { address: to, ...unknown } = settings;
  for (const key of Object.keys(unknown)) throw new Failure('Invalid', `port ${quote(name)}: setting ${quote(key)} is unknown; the settings are address`, 13);
  if (typeof to !== 'string' || !/^[^:]+:\d{1,5}$/.test(to)) throw new Failure('Invalid', `port ${quote(name)}: give address=host:port, such as 10.0.0.5:9100`, 13);
  const known = await address(instance, name).then(() => true, (err) => (err.win32 === 1796 ? false : Promise.reject(err)));
  if (mustBeNew && known) throw new Failure('Exists', `port ${quote(name)} exists already`);
  if (!mustBeNew && !known) throw new Failure('NotFound', `port ${quote(name)} does not exist; add it`, 1796);
  const data = Buffer.from(to + '\0', 'utf16le');
  await registry('SetValue', { spooler: instance.token, key: instance.root, values: [{ name, type: 1, data }] });
}

const commands = {
  AddPort: (instance, input) => set(instance, input, true),
  ConfigPort: (instance, input) => set(instance, input, false),
  async DeletePort(instance, input) {
    const { name } = decode(input);
    await address(instance, name);
    await registry('DeleteValue', { spooler: instance.token, key: instance.root, name });
  },
  async GetConfigInfo(instance, input) {
    const { name } = decode(input);
    return Buffer.from(JSON.stringify({ name, settings: { address: await address(instance, name) } }));
  },
};

async function xcv(channel, { data_name: name, input }) {
  if (!Object.hasOwn(commands, name)) throw new Failure('Invalid', `data name ${quote(name)} is unknown`);
  if (!(channel.granted & administer)) throw new Failure('Denied', `${name} needs an administrator of the print server`);
  return (await commands[name](channel.instance, input)) || Buffer.alloc(0);
}

// until waits for one of the events of a connection, not beyond ms nor the call's end.
function until(conn, events, call, ms) {
  return new Promise((resolve) => {
    const done = (event) => {
      clearTimeout(timer);
      for (const [event, f] of Object.entries(listeners)) conn.off(event, f);
      call.off('cancelled', cancelled);
      resolve(event);
    };
    const listeners = Object.fromEntries(events.map((event) => [event, () => done(event)]));
    const timer = ms ? setTimeout(() => done('late'), ms) : undefined;
    const cancelled = () => done('cancelled');
    for (const [event, f] of Object.entries(listeners)) conn.on(event, f);
    call.on('cancelled', cancelled);
    if (call.cancelled) done('cancelled');
  });
}

async function connect(port, call) {
  const to = await address(port.instance, port.name);
  const at = to.lastIndexOf(':');
  const conn = net.connect({ host: to.slice(0, at), port: Number(to.slice(at + 1)), allowHalfOpen: true });
  conn.on('error', (err) => { conn.failure = err; });
  conn.on('data', () => {}); // what the printer says is not asked for
  const event = await until(conn, ['connect', 'close'], call, 10000);
  if (event !== 'connect') {
    conn.destroy();
    throw new Failure('Unavailable', `port ${quote(port.name)}: ${conn.failure ? conn.failure.message : 'the printer does not answer'}; check the printer and its network`, 1225);
  }
  return conn;
}

// drop resets the connection: the printer must not take half a document for a whole.
function drop(port) {
  if (port.conn) port.conn.resetAndDestroy();
  port.conn = null;
}

function alive(port) {
  if (!port.conn) throw new Failure('Precondition', `port ${quote(port.name)} has no document; call StartDocPort first`, 3003);
  if (port.conn.destroyed) throw new Failure('Unavailable', `port ${quote(port.name)}: the printer has closed the connection`);
  return port.conn;
}

// write takes all of the data or none: what the kernel does not take lies in this process,
// one chunk at the most.
async function write(port, data, call) {
  const conn = alive(port);
  if (conn.writableNeedDrain && await until(conn, ['drain', 'close'], call, patience) !== 'drain') {
    alive(port);
    return { written: 0, not_ready: true, reason: `port ${quote(port.name)}: the printer takes no data just now; check its paper` };
  }
  conn.write(data);
  return { written: data.length };
}

async function end(port, call) {
  const conn = alive(port);
  const closed = new Promise((resolve) => conn.once('end', resolve).once('close', resolve));
  conn.end();
  const event = await Promise.race([closed, until(conn, ['end', 'close'], call)]);
  const failed = event === 'cancelled' || conn.failure || !conn.writableFinished;
  drop(port);
  if (failed) throw new Failure('Unavailable', `port ${quote(port.name)}: the printer did not take the end of the document`);
  await spooler('SetJob', { spooler: port.instance.token, job_id: port.job, control: sentToPrinter });
}

serve({ name: 'node-monitor', version: '1.0.0', services: ['spoolhost.monitor.v2.PrintMonitor'] }, {
  async InitializePrintMonitor2({ spooler: token, registry_root: root, server_name: server }) {
    log('info', 'initialised', { spooler: server });
    return { monitor: add(instances, { token, root }) };
  },
  EnumPorts: async ({ monitor }) => ({ ports: await enumPorts(get(instances, monitor)) }),
  async OpenPort({ monitor, name }) {
    const instance = get(instances, monitor);
    await address(instance, name);
    return { port: add(ports, { instance, name, conn: null }) };
  },
  async StartDocPort({ port: handle, doc }, call) {
    const port = get(ports, handle);
    if (port.conn) throw new Failure('Busy', `port ${quote(port.name)} has a document in it`);
    port.conn = await connect(port, call);
    port.job = doc.job_id;
  },
  WritePort: async ({ port, data }, call) => write(get(ports, port), data, call),
  async EndDocPort({ port: handle, job_status: status }, call) {
    const port = get(ports, handle);
    if (status & aborted) return drop(port);
    return end(port, call);
  },
  async ClosePort({ port }) {
    drop(get(ports, port));
    ports.delete(port);
  },
  async XcvOpenPort({ monitor, granted_access: granted }) {
    return { xcv: add(channels, { instance: get(instances, monitor), granted }) };
  },
  // The command's own result goes into the response: an RPC error means that nobody was asked.
  async XcvDataPort(request) {
    const channel = get(channels, request.xcv);
    try {
      const output = await xcv(channel, request);
      if (output.length > request.output_size) return { status: 122, kind: 14, output_needed: output.length, message: 'the output buffer is too small' };
      return { output, output_needed: output.length };
    } catch (err) {
      return { status: err.win32 || win32(err) || 31, kind: err.kind || 0, message: err.message };
    }
  },
  async XcvClosePort({ xcv: handle }) {
    get(channels, handle);
    channels.delete(handle);
  },
  async Shutdown({ monitor }) {
    const instance = get(instances, monitor);
    instances.delete(monitor);
    for (const map of [ports, channels]) {
      for (const [handle, value] of map) {
        if (value.instance !== instance) continue;
        if (value.conn) drop(value);
        map.delete(handle);
      }
    }
  },
});
