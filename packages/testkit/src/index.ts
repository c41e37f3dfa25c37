// What the tests of all packages share.

export { type CertificateFiles, makeCertificates, type TestCertificates } from './certificates.ts';
export { auditConnection } from './conformance/audit.ts';
export type { ConformanceCase, Feature } from './conformance/case.ts';
export { catalogue, type Statement } from './conformance/catalogue.ts';
export type { Target } from './conformance/context.ts';
export { testedElsewhere } from './conformance/elsewhere.ts';
export { type BrokerModule, embeddedServers } from './conformance/embedded.ts';
export { conformanceCases } from './conformance/index.ts';
export { type CaseResult, type Outcome, runSuite, type SuiteOptions } from './conformance/runner.ts';
export type { ServerFactory, ServerSettings, StartedServer } from './conformance/settings.ts';
export { formatResults, versionName } from './conformance/table.ts';
export {
  type Ack,
  type Codes,
  type Connack,
  type ConnectRequest,
  decode,
  type Message,
  type Reason,
  type SubscribeRequest,
  type UnsubscribeRequest,
} from './decode.ts';
export { freePort, withTempDir } from './environment.ts';
export { describeFrame, type Frame, FrameSplitter, nameOfType, packetType } from './frames.ts';
export {
  frame,
  type MqttVersion,
  packet,
  type RawAck,
  type RawCodes,
  type RawConnack,
  type RawConnect,
  type RawProperties,
  type RawPublish,
  type RawReason,
  type RawSubscribe,
  type RawUnsubscribe,
  type RawWill,
  type Text,
} from './packet.ts';
export { type ProcessResult, runProcess, TestProcess } from './process.ts';
export {
  field,
  type PropertyMap,
  type PropertyValue,
  property,
  type RawProperty,
  uint16,
  variableByteInteger,
} from './properties.ts';
export { type RawBytes, RawPeer, type RawTarget, type WaitOptions } from './raw-peer.ts';
export { type AcceptedClient, RawServer, type RawServerOptions } from './raw-server.ts';
export { opcode, RawWebSocket, type WebSocketTarget } from './raw-websocket.ts';
