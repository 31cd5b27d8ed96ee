/**
 * Reads `emulator/protocol/vectors/*.json`: byte images of the shared structures and what they
 * mean.
 *
 * The images were written from PROTOCOL.md's tables, not by the code that they check. Zeroes at an
 * image's end are left out. Signed fields are numbers, 64-bit ones hexadecimal text.
 */
import { readFileSync } from 'node:fs';
import { type Field, LAYOUTS, type Layout } from '../../emulator/protocol/layout.js';

const FOLDER = new URL('../../emulator/protocol/vectors/', import.meta.url);
const FILES = [
  'header.json',
  'queue-control.json',
  'descriptor.json',
  'reply.json',
  'frame.json',
  'hello.json',
  'welcome.json',
  'frame-item.json',
];

export type FieldValue = number | string | readonly (number | string)[];
export type FieldValues = Readonly<Record<string, FieldValue>>;

export interface Vector {
  readonly name: string;
  readonly doc: string;
  /** Lines of 16 bytes in hexadecimal. */
  readonly image: readonly string[];
  readonly fields: FieldValues;
}

export interface VectorFile {
  readonly layout: string;
  readonly bytes: number;
  readonly doc: string;
  readonly vectors: readonly Vector[];
}

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
}

export function readVectorFiles(): VectorFile[] {
  return FILES.map((name) => readJson(name) as VectorFile);
}

/** Every constant of the protocol, by its name without TMEM_. */
export function readConstants(): Readonly<Record<string, number>> {
  return readJson('constants.json') as Record<string, number>;
}

/** The vector `name` of structure `layout`. */
export function vectorOf(layout: Layout, name: string): Vector {
  const file = readVectorFiles().find((each) => each.layout === layout.name);
  const vector = file?.vectors.find((each) => each.name === name);
  if (vector === undefined) throw new Error(`no vector ${name} of ${layout.name}`);
  return vector;
}

export function layoutNamed(name: string): Layout {
  const layout = LAYOUTS.find((each) => each.name === name);
  if (layout === undefined) throw new Error(`a vector file is of no structure: ${name}`);
  return layout;
}

/** A vector's image, padded with zeroes to `bytes`. */
export function imageBytes(vector: Vector, bytes: number): Uint8Array {
  const image = Buffer.from(vector.image.join('').replaceAll(' ', ''), 'hex');
  const whole = new Uint8Array(bytes);
  whole.set(image);
  return whole;
}

function readOne(view: DataView, field: Field, place: number): number | string {
  if (field.type === 'i32') return view.getInt32(field.offset + 4 * place, true);
  if (field.type === 'u32') return view.getUint32(field.offset + 4 * place, true);
  const value = view.getBigUint64(field.offset + 8 * place, true);
  return `0x${value.toString(16).padStart(16, '0')}`;
}

/** What an image means, by the layout's own offsets and types. */
export function decode(layout: Layout, image: Uint8Array): FieldValues {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const values: Record<string, FieldValue> = {};
  for (const field of layout.fields) {
    values[field.name] =
      field.count === undefined
        ? readOne(view, field, 0)
        : Array.from({ length: field.count }, (_, place) => readOne(view, field, place));
  }
  return values;
}

function writeOne(view: DataView, field: Field, place: number, value: number | string): void {
  if (field.type === 'u64') view.setBigUint64(field.offset + 8 * place, BigInt(value), true);
  else view.setInt32(field.offset + 4 * place, Number(value) | 0, true);
}

/** The image of some values, by the layout's own offsets and types. */
export function encode(layout: Layout, values: FieldValues): Uint8Array {
  const image = new Uint8Array(layout.bytes);
  const view = new DataView(image.buffer);
  for (const field of layout.fields) {
    const value = values[field.name]!;
    const list = Array.isArray(value) ? value : [value as number | string];
    for (const [place, one] of list.entries()) writeOne(view, field, place, one);
  }
  return image;
}
