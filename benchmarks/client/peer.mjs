// The other side of the client benchmark, in a process of its own: a server that does as little as possible, so that
// the client is what is measured. What it does is named by the topic filter of a SUBSCRIBE:
//
//   flood/N   sends N messages of QoS 0 and 64 bytes to "flood", as fast as the client reads
//   echo      sends back every message that comes for the topic "echo"
//
// Messages of QoS 1 are acknowledged once per chunk of input; everything else is counted and dropped.

import { createServer } from 'node:net';

const payload = Buffer.alloc(64, 'x');

function publish(version, topic) {
  const name = Buffer.from(topic);
  const head = version === 5 ? [0] : [];
  const body = Buffer.concat([Buffer.from([0, name.length]), name, Buffer.from(head), payload]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

/** Writes blocks of messages until all are out, waiting whenever the socket is full. */
function flood(socket, version, count) {
  const one = publish(version, 'flood');
  const block = Buffer.concat(Array.from({ length: 500 }, () => one));
  let left = count;
  const more = () => {
    while (left > 0) {
      const now = Math.min(left, 500);
      left -= now;
      if (!socket.write(now === 500 ? block : block.subarray(0, now * one.length))) {
        socket.once('drain', more);
        return;
      }
    }
  };
  more();
}

function serve(socket) {
  let version = 4;
  let pending = Buffer.alloc(0);
  // Acknowledgements of one chunk; it has room for one per smallest possible PUBLISH.
  let acks = Buffer.alloc(0);
  let acksEnd = 0;
  const onPacket = (answers, bytes, first, body, end) => {
    const type = first >> 4;
    if (type === 1) {
      version = bytes[body + 6];
      answers.push(Buffer.from(version === 5 ? [0x20, 3, 0, 0, 0] : [0x20, 2, 0, 0]));
    } else if (type === 3) {
      const topicEnd = body + 2 + bytes.readUInt16BE(body);
      if (first & 2) {
        acks[acksEnd] = 0x40;
        acks[acksEnd + 1] = 2;
        acks[acksEnd + 2] = bytes[topicEnd];
        acks[acksEnd + 3] = bytes[topicEnd + 1];
        acksEnd += 4;
      } else if (topicEnd - body === 6 && bytes.toString('latin1', body + 2, topicEnd) === 'echo') {
        answers.push(publish(version, 'echo'));
      }
    } else if (type === 8) {
      const start = body + 2 + (version === 5 ? 1 + bytes[body + 2] : 0);
      const filter = bytes.toString('latin1', start + 2, start + 2 + bytes.readUInt16BE(start));
      answers.push(
        Buffer.from([
          0x90,
          version === 5 ? 4 : 3,
          bytes[body],
          bytes[body + 1],
          ...(version === 5 ? [0] : []),
          0,
        ]),
      );
      const [, count] = filter.split('/');
      if (count !== undefined) setImmediate(flood, socket, version, Number(count));
    } else if (type === 10) {
      answers.push(
        Buffer.from(
          version === 5
            ? [0xb0, 4, bytes[body], bytes[body + 1], 0, 0]
            : [0xb0, 2, bytes[body], bytes[body + 1]],
        ),
      );
    } else if (type === 12) {
      answers.push(Buffer.from([0xd0, 0]));
    }
    return end;
  };
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const answers = [];
    let at = 0;
    acks = Buffer.allocUnsafe(bytes.length);
    acksEnd = 0;
    for (;;) {
      let length = 0;
      let body = at + 1;
      for (let shift = 0; body < bytes.length; shift += 7) {
        length |= (bytes[body] & 127) << shift;
        if (bytes[body++] < 128) break;
      }
      if (body >= bytes.length && length > 0) break;
      if (at + 1 >= bytes.length || body + length > bytes.length) break;
      at = onPacket(answers, bytes, bytes[at], body, body + length);
    }
    pending = bytes.subarray(at);
    if (acksEnd > 0) answers.push(acks.subarray(0, acksEnd));
    if (answers.length > 0) socket.write(answers.length === 1 ? answers[0] : Buffer.concat(answers));
  });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
