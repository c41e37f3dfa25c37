// How findings look to people.

import type { Paint } from '../paint.ts';
import type { Finding } from './finding.ts';

const VERDICT_WIDTH = 9;
const STEP_WIDTH = 14;
const WIDTH = 100;

export function findingText(finding: Finding, paint: Paint): string {
  const { verdict, step, text } = finding;
  const word = (verdict === 'fault' ? 'FAULT' : verdict).padEnd(VERDICT_WIDTH);
  const painted =
    verdict === 'ok' ? paint.good(word) : verdict === 'note' ? paint.dim(word) : paint.bad(word);
  const indent = ' '.repeat(VERDICT_WIDTH + STEP_WIDTH);
  const lines = [`${painted}${step.padEnd(STEP_WIDTH)}${wrap(text, indent)}`];
  if (finding.fault !== undefined) {
    lines.push(`${indent}${paint.dim('name:  ')} ${finding.fault}`);
    lines.push(`${indent}${paint.dim('cause: ')} ${wrap(finding.cause ?? '', `${indent}        `)}`);
    lines.push(`${indent}${paint.dim('remedy:')} ${wrap(finding.remedy ?? '', `${indent}        `)}`);
  }
  return `${lines.join('\n')}\n`;
}

export function summaryText(findings: readonly Finding[], paint: Paint): string {
  const fault = findings.find(({ verdict }) => verdict === 'fault');
  if (fault !== undefined) return `\n${paint.bad(`The fault: ${fault.text}.`)}\n`;
  const warnings = findings.filter(({ verdict }) => verdict === 'warning').length;
  const rest = warnings === 0 ? '' : ` ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}.`;
  return `\n${paint.good('No fault found.')}${rest}\n`;
}

function wrap(text: string, indent: string): string {
  const room = Math.max(30, WIDTH - indent.length);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
}
