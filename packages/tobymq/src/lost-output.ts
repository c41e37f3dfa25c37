// What a command does when its output cannot be written any more: whoever read it has gone, as `head` does when it has seen
// enough, which is no error, or the disk behind it is full.

export function endWithoutOutput({ code, message }: NodeJS.ErrnoException): never {
  if (code === 'EPIPE') process.exit(0);
  process.stderr.write(`tobymq: the output cannot be written: ${message}\n`);
  process.exit(1);
}
