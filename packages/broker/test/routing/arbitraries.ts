// Random topics and filters that collide often: few level names, few levels.

import fc from 'fast-check';

const name = fc.constantFrom('a', 'b', 'c', '', '$x');
const filterLevel = fc.oneof({ weight: 3, arbitrary: name }, { weight: 2, arbitrary: fc.constant('+') });

// The empty string is neither a topic nor a filter. [MQTT-4.7.3-1]
export const topicName: fc.Arbitrary<string> = fc
  .array(name, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/') || 'a');

export const topicFilter: fc.Arbitrary<string> = fc
  .tuple(fc.array(filterLevel, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 3 }))
  .map(([levels, kind]) => {
    const filter = levels.join('/');
    if (kind === 0) return `${filter}/#`;
    return filter === '' || kind === 1 ? '#' : filter;
  });
