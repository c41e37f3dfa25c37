// What the browser test's page has at hand, bundled for it: the client, its store, and the entry for MQTT.js programs.

import { connect, json, topic } from '../../src/browser.ts';
import { connectAsync } from '../../src/mqttjs/browser.ts';
import { indexedDbStore } from '../../src/store/indexed-db.ts';

const url = `ws://${location.host}/mqtt`;

globalThis.kit = {
  url,
  connect,
  connectAsync,
  indexedDbStore,
  json,
  topic,

  /** A client whose session survives the page. `onWrite` may hold up the store after a write. */
  persistent(onWrite = () => {}) {
    const store = indexedDbStore('sessions');
    return connect(url, {
      clientId: 'page',
      session: {
        keep: '1 h',
        store: {
          open: (clientId) => store.open(clientId),
          close: () => store.close(),
          write: async (operations) => {
            await store.write(operations);
            await onWrite(operations);
          },
        },
      },
    });
  },
};
