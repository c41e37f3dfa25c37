// The section `access`: who may publish and subscribe to what. Our rules are written here or in files of their own; a
// Mosquitto ACL file is taken as it is.

import { z } from 'zod';

const list = z.union([z.string().transform((text) => [text]), z.array(z.string())], {
  error: 'expected a topic filter or a list of them',
});
const names = z.union([z.string().transform((text) => [text]), z.array(z.string())], {
  error: 'expected a name or a list of them',
});

/** One rule. The first rule that fits decides. */
const ruleSchema = z
  .strictObject({
    allow: z
      .array(z.enum(['publish', 'subscribe']))
      .or(z.enum(['publish', 'subscribe', 'all']))
      .optional()
      .describe('What this rule allows: `publish`, `subscribe` or `all`.'),
    deny: z
      .array(z.enum(['publish', 'subscribe']))
      .or(z.enum(['publish', 'subscribe', 'all']))
      .optional()
      .describe('What this rule forbids. A rule has `allow` or `deny`, not both.'),
    topics: list.describe(
      'Topic filters. `%c` stands for the client id and `%u` for the user name; both fill a whole level.',
    ),
    users: names.optional().describe('Only for these user names. `*` is any name, `""` is no name.'),
    clients: names.optional().describe('Only for these client ids; `*` at the end stands for anything.'),
    roles: names.optional().describe('Only for users that have one of these roles.'),
    addresses: names.optional().describe('Only for clients from these addresses or networks (`10.0.0.0/8`).'),
    qos: z
      .union([z.literal(0), z.literal(1), z.literal(2)], { error: 'expected 0, 1 or 2' })
      .optional()
      .describe('The highest QoS: higher publishes are denied, higher subscriptions are granted this one.'),
    retain: z.boolean().optional().describe('`false`: retained publishes are denied.'),
  })
  .superRefine((rule, context) => {
    if ((rule.allow === undefined) === (rule.deny === undefined)) {
      context.addIssue({ code: 'custom', message: 'expected a rule with "allow" or with "deny"' });
    }
  });

export const accessSchema = z.strictObject({
  rules: z
    .array(ruleSchema)
    .default([])
    .describe(
      'Rules; the first one that fits decides. What no rule speaks of is denied once there is any rule.',
    ),
  file: z
    .string()
    .optional()
    .describe('A file with more rules: the keys `rules`, `roles` and `superusers` of this section, in YAML.'),
  aclFile: z.string().optional().describe("A file in the format of Mosquitto's `acl_file`."),
  roles: z
    .record(z.string(), z.array(z.string()))
    .default({})
    .describe('Roles with the user names that have them.'),
  superusers: z.array(z.string()).default([]).describe('User names that may do everything.'),
});

/** What a rule file holds. */
export const ruleFileSchema = accessSchema.pick({ rules: true, roles: true, superusers: true });

export type RuleConfig = z.output<typeof ruleSchema>;
export type AccessConfig = z.output<typeof accessSchema>;
