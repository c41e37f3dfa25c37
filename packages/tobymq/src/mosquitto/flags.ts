// The command line of the `mosquitto` program.

export interface MosquittoCommandLine {
  readonly configFile: string | undefined;
  readonly ports: readonly number[];
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly daemon: boolean;
  readonly test: boolean;
  readonly keylogFile: string | undefined;
  readonly wants: 'run' | 'help' | 'version';
}

/** The command line is wrong; Mosquitto ends with 3 then. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
  readonly code = 'TOBYMQ_USAGE';
}

const portsMax = 10;

export function parseMosquittoFlags(argv: readonly string[]): MosquittoCommandLine {
  const result = {
    configFile: undefined as string | undefined,
    ports: [] as number[],
    verbose: false,
    quiet: false,
    daemon: false,
    test: false,
    keylogFile: undefined as string | undefined,
    wants: 'run' as MosquittoCommandLine['wants'],
  };
  for (let index = 0; index < argv.length; index++) {
    const flag = argv[index] as string;
    const value = (missing: string): string => {
      const next = argv[++index];
      if (next === undefined) throw new FlagError(missing);
      return next;
    };
    switch (flag) {
      case '-c':
      case '--config-file':
        result.configFile = value('-c argument given, but no config file specified.');
        break;
      case '-p':
      case '--port':
        if (result.ports.length === portsMax) throw new FlagError('Only 10 ports can be specified.');
        result.ports.push(portOf(value('-p argument given, but no port specified.')));
        break;
      case '-v':
      case '--verbose':
        result.verbose = true;
        break;
      case '-q':
      case '--quiet':
        result.quiet = true;
        break;
      case '-d':
      case '--daemon':
        result.daemon = true;
        break;
      case '-t':
      case '--test-config':
        result.test = true;
        break;
      case '--tls-keylog':
        result.keylogFile = value('--tls-keylog argument given, but no file specified.');
        break;
      case '-h':
      case '--help':
        result.wants = 'help';
        break;
      case '--version':
        result.wants = 'version';
        break;
      default:
        throw new FlagError(`Unknown option '${flag}'.`);
    }
  }
  return result;
}

function portOf(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new FlagError(`Invalid port specified (${text}).`);
}

export const mosquittoUsage = `
TobyMQ in place of mosquitto, an MQTT v5.0/v3.1.1/v3.1 broker.

Usage: tobymq mosquitto [-c config_file] [-d] [-h] [-p port] [-q] [-v]

 -c : specify the broker config file.
 -d : put the broker into the background after starting.
 -h : display this help.
 -p : start the broker listening on the specified port, on loopback addresses.
      May be given up to ten times. Not used if the config file has listeners.
 -q : quiet mode - disable all logging types. This overrides
      any logging options given in the config file, and -v.
 -t, --test-config : test the config file, and exit.
 -v : verbose mode - enable all logging types. This overrides
      any logging options given in the config file.
 --tls-keylog FILE : write TLS session keys to FILE, for Wireshark.
 --version : display the version, and exit.
`;
