// The messages of QMP as they stand on the wire (qmp-spec.txt of QEMU 7.2, section 2), and the
// check that sorts a parsed line into one of them. Unknown members are ignored, as the spec asks.

/** Section 2.2: the server's greeting. */
export interface Greeting {
  readonly version: {
    readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
    readonly package: string;
  };
  readonly capabilities: readonly string[];
}

/** Section 2.5: an event. `timestamp` is the host's clock; -1 when QEMU could not read it. */
export interface QmpEventMessage<Name extends string = string, Data = unknown> {
  readonly event: Name;
  readonly data: Data;
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

/** Section 2.4: the error member of a failed command's response. */
export interface ErrorBody {
  readonly class: string;
  readonly desc: string;
}

export type ServerMessage =
  | { readonly kind: 'return'; readonly id: unknown; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: unknown; readonly error: ErrorBody }
  | { readonly kind: 'event'; readonly event: QmpEventMessage }
  | { readonly kind: 'greeting'; readonly greeting: Greeting };

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function greetingOf(body: unknown): Greeting | undefined {
  if (!isObject(body) || !Array.isArray(body.capabilities)) return undefined;
  const version = body.version;
  if (!isObject(version) || !isObject(version.qemu)) return undefined;
  const { major, minor, micro } = version.qemu;
  if (typeof major !== 'number' || typeof minor !== 'number' || typeof micro !== 'number') {
    return undefined;
  }
  return {
    version: { qemu: { major, minor, micro }, package: String(version.package ?? '') },
    // A capability is a string; anything else is a newer protocol's and is left out.
    capabilities: body.capabilities.filter((entry) => typeof entry === 'string'),
  };
}

function eventOf(value: Record<string, unknown>): QmpEventMessage | undefined {
  const { event, data, timestamp } = value;
  if (typeof event !== 'string' || !isObject(timestamp)) return undefined;
  const { seconds, microseconds } = timestamp;
  if (typeof seconds !== 'number' || typeof microseconds !== 'number') return undefined;
  return { event, data: data ?? {}, timestamp: { seconds, microseconds } };
}

/** Sort a parsed line; undefined when it is no QMP message. */
export function classify(value: unknown): ServerMessage | undefined {
  if (!isObject(value)) return undefined;
  if ('return' in value) return { kind: 'return', id: value.id, value: value.return };
  const error = value.error;
  if (error !== undefined) {
    if (!isObject(error)) return undefined;
    const { class: errorClass, desc } = error;
    if (typeof errorClass !== 'string' || typeof desc !== 'string') return undefined;
    return { kind: 'error', id: value.id, error: { class: errorClass, desc } };
  }
  if ('event' in value) {
    const event = eventOf(value);
    return event && { kind: 'event', event };
  }
  if ('QMP' in value) {
    const greeting = greetingOf(value.QMP);
    return greeting && { kind: 'greeting', greeting };
  }
  return undefined;
}
