// A bar chart as SVG: broker CPU per message relative to the baseline, one group of bars per scenario. Written by hand,
// because it is sixty lines; the colours come from a style sheet with a variant for dark pages.

import { phaseNames, phaseOf, rowTitle } from './report.mjs';
import { cpuRatio } from './statistics.mjs';

const width = 760;
const left = 250;
const right = 60;
const barHeight = 13;
const groupGap = 12;
const top = 64;

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2430 }
  .small { font-size: 11px; fill: #5b6270 }
  .line { stroke: #5b6270; stroke-dasharray: 3 3 }
  .c0 { fill: #1f7a5c } .c1 { fill: #7fb8a4 } .c2 { fill: #8a93a6 } .c3 { fill: #c58b4e } .c4 { fill: #9a6fb0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e8eaf0 } .small { fill: #a5adbd } .line { stroke: #a5adbd }
    .c0 { fill: #4fc79c } .c1 { fill: #2f7f66 } .c2 { fill: #7c879d } .c3 { fill: #d9a066 } .c4 { fill: #b48bcb }
  }`;

/** The chart of a report. Bars longer than `most` times the baseline are cut off; their number is written anyway. */
export function chart(report, most = 2.5) {
  const brokers = Object.keys(report.brokers);
  const scale = (width - left - right) / most;
  const parts = [];
  let y = top;
  for (const result of report.results) {
    for (const name of phaseNames(result)) {
      const baseline = phaseOf(result, report.baseline, name);
      const bars = brokers
        .map((broker, index) => ({ index, ratio: cpuRatio(phaseOf(result, broker, name), baseline) }))
        .filter(({ ratio }) => ratio !== undefined);
      if (bars.length === 0) continue;
      const height = bars.length * barHeight;
      parts.push(
        `<text x="${left - 10}" y="${y + height / 2 + 4}" text-anchor="end">${escapeXml(rowTitle(result, name))}</text>`,
      );
      bars.forEach(({ index, ratio }, row) => {
        const length = Math.min(ratio, most) * scale;
        const barY = y + row * barHeight;
        parts.push(
          `<rect class="c${index % 5}" x="${left}" y="${barY}" width="${length.toFixed(1)}" height="${barHeight - 2}" rx="2"/>`,
        );
        parts.push(
          `<text class="small" x="${(left + length + 5).toFixed(1)}" y="${barY + 10}">${ratio.toFixed(2)}</text>`,
        );
      });
      y += height + groupGap;
    }
  }
  const legend = brokers.map((broker, index) => {
    const x = left + index * 120;
    return `<rect class="c${index % 5}" x="${x}" y="34" width="11" height="11" rx="2"/><text x="${x + 16}" y="44">${escapeXml(broker)}</text>`;
  });
  const one = left + scale;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 10}" width="${width}" height="${y + 10}" role="img">`,
    `<title>Broker CPU time per message, relative to ${escapeXml(report.baseline)}</title><style>${style}</style>`,
    `<text x="12" y="20" font-weight="600">Broker CPU time per message, relative to ${escapeXml(report.baseline)} (shorter is better)</text>`,
    ...legend,
    `<line class="line" x1="${one}" y1="${top - 6}" x2="${one}" y2="${y}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
