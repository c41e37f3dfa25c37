// docs/reference/mosquitto-conf.md: what TobyMQ makes of each option of a mosquitto.conf, made from the table of options.

import { type MosquittoOption, mosquittoOptions, type OptionScope } from './options.ts';

const introduction = `# mosquitto.conf

<!-- Made from packages/tobymq/src/mosquitto/options.ts by "tobymq config reference". Do not edit. -->

\`tobymq mosquitto -c mosquitto.conf\` and \`tobymq serve -c mosquitto.conf\` read the configuration of Mosquitto 2.1.
\`tobymq config check mosquitto.conf\` tells for each line of a file what is made of it, and
\`tobymq config convert mosquitto.conf\` writes the same settings as a configuration of TobyMQ.

`;

const headings: Readonly<Record<OptionScope, string>> = {
  global: 'For the whole server',
  security: 'Who may connect: for the whole server, or per listener with `per_listener_settings true`',
  listener: 'For a listener',
  bridge: 'Bridges',
};

/** The whole page. */
export function mosquittoReference(): string {
  const sections = (Object.keys(headings) as OptionScope[]).map((scope) => {
    const rows = mosquittoOptions.filter((option) => option.scope === scope).map(row);
    return [
      `## ${headings[scope]}`,
      '',
      '| option | default | support |',
      '| --- | --- | --- |',
      ...rows,
      '',
    ].join('\n');
  });
  return `${introduction}${sections.join('\n')}`;
}

function row({ name, default: value, support, note }: MosquittoOption): string {
  const supportText = support === 'difference' ? 'with a difference' : support;
  return `| \`${name}\` | ${value === '' ? '' : `\`${value}\``} | ${supportText}${note === '' ? '' : `: ${note}`} |`;
}
