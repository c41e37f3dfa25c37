// The topics that were seen, as a tree with the last value of each. The number of topics is bounded, since a stranger
// can invent new ones without end; those that come after it are counted only.

const TOPICS_MAX = 50_000;

export interface TopicNode {
  readonly level: string;
  readonly children: Map<string, TopicNode>;
  /** Undefined for a level on which nothing was published itself. */
  value: Uint8Array | undefined;
  retain: boolean;
  count: number;
  changedAt: number;
}

export class TopicTree {
  readonly root: TopicNode = makeNode('');
  topicCount = 0;
  ignoredCount = 0;

  set(topic: string, value: Uint8Array, retain: boolean, now: number): void {
    let node = this.root;
    for (const level of topic.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        if (this.topicCount >= TOPICS_MAX) {
          this.ignoredCount++;
          return;
        }
        child = makeNode(level);
        node.children.set(level, child);
      }
      node = child;
    }
    if (node.count === 0) this.topicCount++;
    // The bytes that came belong to a larger piece of memory, which would be held as long as the value.
    node.value = value.slice();
    node.retain = retain;
    node.count++;
    node.changedAt = now;
  }
}

function makeNode(level: string): TopicNode {
  return { level, children: new Map(), value: undefined, retain: false, count: 0, changedAt: 0 };
}
