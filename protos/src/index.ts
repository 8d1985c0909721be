export { events, logcache, loggregator, plumbing, standpipe } from '../gen/messages.js';
export { Batch, Kind } from './batch.ts';
export { BatchBuilder } from './builder.ts';
export { ByteMap, hashBytes } from './byte-map.ts';
export { CounterReader } from './counter-reader.ts';
export { goShortest, writeSigned, writeUnsigned } from './decimal.ts';
export { EnvelopeEdit, encodeTag } from './edit.ts';
export { EnvelopeField, EnvelopeParts } from './envelope-parts.ts';
export { FieldReader } from './fields.ts';
export { Crc64Sum, crc64 } from './hash.ts';
export { JsonWriter } from './json.ts';
export { type ConstantText, constantText } from './json-text.ts';
export { LogMemo } from './log-memo.ts';
export { MapEntries } from './map-entries.ts';
export {
  EventParts,
  GaugeValueParts,
  LogParts,
  NamedParts,
  ValueMember,
  ValueParts,
} from './message-parts.ts';
export { FRAME_TAG, PackedBatch } from './packed-batch.ts';
export { scanBatch, scanEnvelope } from './scan.ts';
export {
  dopplerIngestorService,
  dopplerService,
  egressService,
  ingressService,
  logCacheEgressService,
  logCacheIngressService,
  orchestrationService,
  promQlQuerierService,
  type RawMethod,
  type RawService,
  seriesService,
  tailsService,
} from './services.ts';
export { ownerOf, ShardOwners, type Zone } from './sharding.ts';
export { TAG_KEYS_MAX, TagKeys } from './tag-keys.ts';
export { TagReader } from './tag-reader.ts';
export { TagPreference } from './tags.ts';
export { compareTime, joinTime, nowNanoseconds, splitTime } from './time.ts';
export { isUtf8 } from './utf8.ts';
export { KeepV1 } from './v1/keep-v1.ts';
export { ToV1 } from './v1/to-v1.ts';
export { ToV2 } from './v1/to-v2.ts';
export { V1Batch } from './v1/v1-batch.ts';
export { V1Count } from './v1/v1-count.ts';
export { V1Parts } from './v1/v1-parts.ts';
export { encodeVarint, encodeVarint64, varintSize } from './varint.ts';
