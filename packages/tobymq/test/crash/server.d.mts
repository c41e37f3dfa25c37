export class Server {
  constructor(folder: string, durability: string);
  readonly port: number;
  readonly printed: string;
  start(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  remove(): void;
}
