// Loaded with `node --import` beside a broker written for Node: opens a control socket through which the benchmark asks
// for the event loop's delay and starts and stops a CPU profile. The path of the socket is in BENCH_CONTROL.
//
// One request per connection: `delay` answers with the delays since the last request as JSON (milliseconds);
// `profile-start` begins a profile; `profile-stop FILE` ends it and writes it.

import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const path = process.env.BENCH_CONTROL;
const delay = monitorEventLoopDelay({ resolution: 2 });
delay.enable();
let session;

if (path !== undefined) createServer(serve).listen(path).unref();

function serve(socket) {
  socket.on('error', () => {});
  socket.once('data', (data) => {
    const [command, file] = data.toString().trim().split(' ');
    if (command === 'delay') socket.end(takeDelay());
    else if (command === 'profile-start') startProfile(() => socket.end('started'));
    else if (command === 'profile-stop') stopProfile(file, () => socket.end('written'));
    else socket.end(`unknown command ${command}`);
  });
}

function takeDelay() {
  const inMilliseconds = (nanoseconds) => Math.round(nanoseconds / 1e4) / 100;
  const { max } = delay;
  const answer = {
    p50: inMilliseconds(delay.percentile(50)),
    p99: inMilliseconds(delay.percentile(99)),
    max: inMilliseconds(max),
  };
  delay.reset();
  return JSON.stringify(answer);
}

function startProfile(done) {
  session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 200 });
  session.post('Profiler.start', done);
}

function stopProfile(file, done) {
  session.post('Profiler.stop', (error, result) => {
    if (!error) writeFileSync(file, JSON.stringify(result.profile));
    session.disconnect();
    done();
  });
}
