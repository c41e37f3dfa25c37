// How many sockets the process has file descriptors for. Where these end, the way in which Node accepts closes what is too
// much without telling anybody, and there are none left for the log, the store and the HTTP API. So some are kept for those,
// and a connection beyond is refused like one above any other limit.

/** What a server without clients has open is half of it; the rest is for handshakes, the API, new log files and backups. */
const KEPT_FILES = 64;

/** How many sockets may be open at the same time; `Infinity` where the system sets no limit. */
export function socketsMax(): number {
  const max = openFilesMax();
  return Math.max(1, max - KEPT_FILES);
}

/** Node has raised its own limit as far as the system lets it. */
function openFilesMax(): number {
  const report = process.report as unknown as DiagnosticReport;
  const before = report.excludeNetwork;
  // It would look up the names of peers.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport();
  report.excludeNetwork = before;
  const max = userLimits?.open_files?.soft;
  return typeof max === 'number' ? max : Number.POSITIVE_INFINITY;
}

/** What is used here of Node's diagnostic report. */
interface DiagnosticReport {
  excludeNetwork: boolean;
  getReport(): {
    /** Windows has none. */
    readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } };
  };
}
