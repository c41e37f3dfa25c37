import { matches, type QoS } from '@tobymq/codec';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Route, Router } from '../../src/routing/router.ts';
import { Subscription, type SubscriptionOptions, type Target } from '../../src/routing/subscription.ts';
import { topicFilter, topicName } from './arbitraries.ts';

const DEFAULTS: SubscriptionOptions = {
  filter: 'a',
  shareName: '',
  qos: 0,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionId: 0,
};

function subscription(
  subscriber: string,
  filter: string,
  options: Partial<SubscriptionOptions> = {},
): Subscription<string> {
  return new Subscription(subscriber, { ...DEFAULTS, filter, ...options });
}

function newRouter(options: { routesMax?: number } = {}): Router<string> {
  return new Router<string>({ isOnline: () => true, ...options });
}

/** The route that is kept: with the first call the router only notes the topic. */
function routeOfSecondCall(router: Router<string>, topic: string): Route<string> {
  router.route(topic);
  return router.route(topic);
}

function subscribersOf(router: Router<string>, topic: string): string[] {
  return router
    .route(topic)
    .targets.map((target) => target.subscriber)
    .sort();
}

function form(target: Target<string> | undefined): unknown {
  return (
    target && {
      qos: target.qos,
      retainAsPublished: target.retainAsPublished,
      ids: [...target.subscriptionIds].sort((a, b) => a - b),
    }
  );
}

/** What the standard says about several matching subscriptions of one client, written down once more. */
function mergedForm(matching: readonly Subscription<string>[]): unknown {
  if (matching.length === 0) return undefined;
  return {
    qos: Math.max(...matching.map((each) => each.qos)),
    retainAsPublished: matching.some((each) => each.retainAsPublished),
    ids: matching
      .map((each) => each.subscriptionId)
      .filter((id) => id > 0)
      .sort((a, b) => a - b),
  };
}

const subscriptionChange = fc.record({
  subscriber: fc.constantFrom('c1', 'c2', 'c3', 'c4'),
  filter: topicFilter,
  shareName: fc.constantFrom('', '', '', 'g', 'h'),
  isAdded: fc.boolean(),
  qos: fc.constantFrom<QoS>(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  subscriptionId: fc.constantFrom(0, 1, 2, 300),
  topic: topicName,
});

test('routes equal what a list of subscriptions gives, whatever changes in between', () => {
  fc.assert(
    fc.property(
      fc.array(subscriptionChange, { maxLength: 80 }),
      fc.constantFrom(4, 1000),
      (changes, routesMax) => {
        const wanted = new Set<string>();
        const router = new Router<string>({
          isOnline: () => true,
          routesMax,
          onInterest: (filter, isWanted) => {
            expect(wanted.has(filter)).toBe(!isWanted);
            if (isWanted) wanted.add(filter);
            else wanted.delete(filter);
          },
        });
        const held = router.route('a/b');
        const model = new Map<string, Subscription<string>>();
        for (const change of changes) {
          const { subscriber, filter, shareName, topic } = change;
          const key = JSON.stringify([subscriber, filter, shareName]);
          if (change.isAdded) {
            const added = subscription(subscriber, filter, {
              ...change,
              retainHandling: 0,
              noLocal: change.noLocal && shareName === '',
            });
            expect(router.subscribe(added) === undefined).toBe(!model.has(key));
            model.set(key, added);
          } else {
            expect(router.unsubscribe(subscriber, filter, shareName) === undefined).toBe(!model.delete(key));
          }
          const all = [...model.values()];
          expect(router.subscriptionCount).toBe(all.length);
          expect(router.sharedSubscriptionCount).toBe(all.filter((each) => each.shareName !== '').length);
          expect(wanted).toEqual(new Set(all.map((each) => each.filter)));
          if (held.version !== router.version) router.refresh(held);
          for (const route of [router.route(topic), held]) {
            const matching = all.filter((each) => matches(each.filter, route.topic));
            const plain = matching.filter((each) => each.shareName === '');
            expect(route.targets.map((target) => target.subscriber).sort()).toEqual(
              [...new Set(plain.map((each) => each.subscriber))].sort(),
            );
            for (const target of route.targets) {
              const own = plain.filter((each) => each.subscriber === target.subscriber);
              expect(form(target)).toEqual(mergedForm(own));
              expect(form(target.forOwnMessages)).toEqual(mergedForm(own.filter((each) => !each.noLocal)));
            }
            const shared = matching.filter((each) => each.shareName !== '');
            expect(new Set(route.groups.map((group) => `${group.shareName}/${group.filter}`))).toEqual(
              new Set(shared.map((each) => `${each.shareName}/${each.filter}`)),
            );
            expect(router.subscriptionsOf(route.topic).length).toBe(matching.length);
          }
        }
        for (const each of model.values()) router.unsubscribe(each.subscriber, each.filter, each.shareName);
        expect(router.filterCount).toBe(0);
        expect(router.route('a/b').targets).toEqual([]);
      },
    ),
    { numRuns: 200 },
  );
});

test('MQTT-3.3.4-2: overlapping subscriptions of one client become one copy with the highest QoS', () => {
  const router = newRouter();
  router.subscribe(subscription('c', 'a/#', { qos: 1 }));
  router.subscribe(subscription('c', 'a/+', { qos: 2 }));
  router.subscribe(subscription('c', 'a/b', { qos: 0 }));
  expect(router.route('a/b').targets.map((target) => target.qos)).toEqual([2]);
});

test('MQTT-3.3.4-4, MQTT-3.3.4-5: a copy carries all identifiers, one that occurs twice also twice', () => {
  const router = newRouter();
  router.subscribe(subscription('c', 'a/#', { subscriptionId: 7 }));
  router.subscribe(subscription('c', 'a/+', { subscriptionId: 7 }));
  router.subscribe(subscription('c', 'a/b', { subscriptionId: 1000 }));
  router.subscribe(subscription('c', '#'));
  expect([...router.route('a/b').targets[0]!.subscriptionIds].sort()).toEqual([1000, 7, 7]);
});

test('MQTT-3.8.3-3: a publisher gets its own message only through subscriptions that are not No Local', () => {
  const router = newRouter();
  router.subscribe(subscription('c', 'a/#', { noLocal: true, qos: 2, subscriptionId: 1 }));
  expect(router.route('a/b').targets[0]!.forOwnMessages).toBeUndefined();
  router.subscribe(subscription('c', 'a/+', { qos: 1, subscriptionId: 2 }));
  const target = router.route('a/b').targets[0]!;
  expect(form(target)).toEqual({ qos: 2, retainAsPublished: false, ids: [1, 2] });
  expect(form(target.forOwnMessages)).toEqual({ qos: 1, retainAsPublished: false, ids: [2] });
});

test('MQTT-3.8.4-3: a subscription to the same filter replaces the earlier one', () => {
  const router = newRouter();
  const first = subscription('c', 'a/+', { qos: 1 });
  expect(router.subscribe(first)).toBeUndefined();
  expect(router.route('a/b').targets[0]!.qos).toBe(1);
  expect(router.subscribe(subscription('c', 'a/+', { qos: 0, subscriptionId: 5 }))).toBe(first);
  expect(form(router.route('a/b').targets[0])).toEqual({ qos: 0, retainAsPublished: false, ids: [5] });
  expect(router.subscriptionCount).toBe(1);
});

test('a kept route is current until a filter changes that matches its topic', () => {
  const router = newRouter();
  router.subscribe(subscription('c1', 'a/+'));
  const route = router.route('a/b');
  const targets = route.targets;
  router.subscribe(subscription('c2', 'other/#'));
  expect(route.version).not.toBe(router.version);
  router.refresh(route);
  expect(route.version).toBe(router.version);
  expect(route.targets).toBe(targets);
  router.subscribe(subscription('c2', 'a/b'));
  router.refresh(route);
  expect(route.targets.map((target) => target.subscriber).sort()).toEqual(['c1', 'c2']);
  expect(targets.map((target) => target.subscriber)).toEqual(['c1']); // a delivery under way is not disturbed
});

test('subscribing again in the same way leaves every route current', () => {
  const router = newRouter();
  router.subscribe(subscription('c', 'a/+', { qos: 1, subscriptionId: 3 }));
  const route = router.route('a/b');
  expect(router.subscribe(subscription('c', 'a/+', { qos: 1, subscriptionId: 3 }))).toBeDefined();
  expect(route.version).toBe(router.version);
});

test('a route that is far behind is right again after one refresh', () => {
  const router = newRouter();
  const route = router.route('a/b');
  router.subscribe(subscription('c', 'a/b'));
  for (let i = 0; i < 100; i++) router.subscribe(subscription('c', `x/${i}`));
  router.refresh(route);
  expect(route.targets.map((target) => target.subscriber)).toEqual(['c']);
});

test('members of a shared group come and go without touching a route', () => {
  const router = newRouter();
  router.subscribe(subscription('c1', 'a/#', { shareName: 'g' }));
  const route = router.route('a/b');
  router.subscribe(subscription('c2', 'a/#', { shareName: 'g' }));
  expect(route.version).toBe(router.version);
  expect(route.groups.length).toBe(1);
  expect(new Set([route.groups[0]!.pick('p', 't'), route.groups[0]!.pick('p', 't')]).size).toBe(2);
  router.unsubscribe('c1', 'a/#', 'g');
  expect(route.version).toBe(router.version);
  router.unsubscribe('c2', 'a/#', 'g');
  router.refresh(route);
  expect(route.groups).toEqual([]);
  expect(router.sharedGroup('g', 'a/#')).toBeUndefined();
});

test('a client gets one copy from its own subscription and one from each of its shared groups', () => {
  const router = newRouter();
  router.subscribe(subscription('c', 'a/#'));
  router.subscribe(subscription('c', 'a/#', { shareName: 'g' }));
  router.subscribe(subscription('c', 'a/#', { shareName: 'h' }));
  router.subscribe(subscription('c', 'a/+', { shareName: 'g' }));
  const route = router.route('a/b');
  expect(route.targets.length).toBe(1);
  expect(route.groups.length).toBe(3);
});

test('the number of kept routes is bounded, and routes in use stay', () => {
  const router = newRouter({ routesMax: 100 });
  expect(routeOfSecondCall(router, 'x'.repeat(2_000)).targets).toEqual([]);
  expect(router.routeCount).toBe(0);
  const used = routeOfSecondCall(router, 'used');
  for (let i = 0; i < 10_000; i++) {
    routeOfSecondCall(router, `topic/${i}`);
    expect(router.route('used')).toBe(used);
  }
  expect(router.routeCount).toBeLessThanOrEqual(100);
});

test('a route is kept from the second time on that it is asked for', () => {
  const router = newRouter();
  router.route('seen/twice');
  router.route('seen/once');
  expect(router.routeCount).toBe(0);
  const kept = router.route('seen/twice');
  expect(router.routeCount).toBe(1);
  expect(router.route('seen/twice')).toBe(kept);
});

test('routes that nobody asks for are forgotten after the second call of age()', () => {
  const router = newRouter();
  routeOfSecondCall(router, 'idle');
  router.age();
  expect(router.routeCount).toBe(1);
  router.age();
  expect(router.routeCount).toBe(0);
});

test('a thousand subscribers with overlapping filters get one target each', () => {
  const router = newRouter();
  for (let i = 0; i < 1000; i++) router.subscribe(subscription(`c${i}`, 'news/#', { qos: 1 }));
  for (let i = 0; i < 1000; i += 2) router.subscribe(subscription(`c${i}`, 'news/+', { qos: 2 }));
  const { targets } = router.route('news/today');
  expect(targets.length).toBe(1000);
  expect(targets.filter((target) => target.qos === 2).length).toBe(500);
  expect(new Set(subscribersOf(router, 'news/today')).size).toBe(1000);
});

test('identifiers that many clients use are one list, so that forms can be compared by identity', () => {
  const first = subscription('c1', 'a', { subscriptionId: 1 });
  const second = subscription('c2', 'b', { subscriptionId: 1 });
  expect(first.subscriptionIds).toBe(second.subscriptionIds);
  expect(subscription('c3', 'c', { subscriptionId: 268_435_455 }).subscriptionId).toBe(268_435_455);
  expect(subscription('c4', 'd', { shareName: 'g' }).fullFilter).toBe('$share/g/d');
});
