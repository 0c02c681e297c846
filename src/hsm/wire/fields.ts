/**
 * Messages as typed lists of fields: a list defines how a message is packed and unpacked, and its TypeScript type. Fields follow one another
 * in the order of the list, without padding; numbers are big-endian.
 */
import { Failure } from '../../errors.ts'

/** How one value is packed and unpacked. Unpacked bytes are a view of the payload. */
export interface Field<In, Out = In> {
  /** Bytes of the packed value. */
  size(value: In): number
  /** Writes `size` bytes and returns the offset after them. Throws a Failure if the value cannot be packed. */
  write(payload: Buffer, value: In, offset: number): number
  /** Throws a Failure if the payload is truncated or contains no such value. */
  read(cursor: Cursor): Out
}

/** A field that may be absent: an optional property. */
export interface OptionalField<In, Out = In> extends Field<In | undefined, Out | undefined> {
  readonly isOptional: true
}

/** A whole payload. */
export interface Message<In, Out = In> {
  encode(value: In): Buffer
  /** Throws a Failure if the payload is not exactly one such message. */
  decode(payload: Buffer): Out
}

// biome-ignore lint/suspicious/noExplicitAny: fields of any type
type FieldList = Readonly<Record<string, Field<any, any>>>
type OptionalName<F extends FieldList> = {
  [K in keyof F]: F[K] extends OptionalField<infer _I, infer _O> ? K : never
}[keyof F]
type In<T> = T extends Field<infer I, infer _O> ? I : never
type Out<T> = T extends Field<infer _I, infer O> ? O : never

/** The value of a list of fields as it is packed, */
export type Packed<F extends FieldList> = {
  readonly [K in Exclude<keyof F, OptionalName<F>>]: In<F[K]>
} & { readonly [K in OptionalName<F>]?: In<F[K]> }
/** and as it is unpacked. */
export type Unpacked<F extends FieldList> = {
  readonly [K in Exclude<keyof F, OptionalName<F>>]: Out<F[K]>
} & { readonly [K in OptionalName<F>]?: Out<F[K]> }

/** A position in a payload. */
export class Cursor {
  readonly payload: Buffer
  offset = 0

  constructor(payload: Buffer) {
    this.payload = payload
  }

  /** Advances by `length` bytes, and returns the offset of the first. */
  take(length: number): number {
    const start = this.offset
    if (length > this.payload.length - start) throw malformed('it ends too early')
    this.offset = start + length
    return start
  }

  /** Reads a length and returns a view of so many bytes. */
  bytes(): Buffer {
    const length = this.payload.readUInt32BE(this.take(lengthBytes))
    const start = this.take(length)
    return this.payload.subarray(start, start + length)
  }
}

function malformed(reason: string): Failure {
  return new Failure('Internal', '', { cause: new RangeError(`malformed HSM message: ${reason}`) })
}

const lengthBytes = 4

/** A number from 0 to 255. */
export const u8: Field<number> = {
  size: () => 1,
  write: (payload, value, offset) => payload.writeUInt8(value, offset),
  read: cursor => cursor.payload[cursor.take(1)]!,
}

/** A number from 0 to 2^32 - 1. */
export const u32: Field<number> = {
  size: () => 4,
  write: (payload, value, offset) => payload.writeUInt32BE(value, offset),
  read: cursor => cursor.payload.readUInt32BE(cursor.take(4)),
}

export const flag: Field<boolean> = {
  size: () => 1,
  write: (payload, value, offset) => payload.writeUInt8(value ? 1 : 0, offset),
  read(cursor) {
    const byte = cursor.payload[cursor.take(1)]!
    if (byte > 1) throw malformed(`a flag is ${byte}`)
    return byte === 1
  },
}

/** A fixed number of bytes, as lower-case hex digits. */
export function hex(length: number): Field<string> {
  return {
    size: () => length,
    write(payload, value, offset) {
      if (value.length !== 2 * length || payload.write(value, offset, 'hex') !== length)
        throw malformed(`no ${2 * length} hex digits`)
      return offset + length
    },
    read(cursor) {
      const start = cursor.take(length)
      return cursor.payload.toString('hex', start, start + length)
    },
  }
}

/** Length (u32) | bytes. */
export const bytes: Field<Uint8Array, Buffer> = {
  size: value => lengthBytes + value.length,
  write(payload, value, offset) {
    const start = payload.writeUInt32BE(value.length, offset)
    payload.set(value, start)
    return start + value.length
  },
  read: cursor => cursor.bytes(),
}

/** Bytes whose source is wiped when they are packed. */
export const secret: Field<Uint8Array, Buffer> = {
  ...bytes,
  write(payload, value, offset) {
    const end = bytes.write(payload, value, offset)
    value.fill(0)
    return end
  },
}

/** Length (u32) | bytes, as lower-case hex digits. */
export const hexBytes: Field<string> = {
  size: value => lengthBytes + value.length / 2,
  write(payload, value, offset) {
    const start = payload.writeUInt32BE(value.length / 2, offset)
    return start + payload.write(value, start, 'hex')
  },
  read: cursor => cursor.bytes().toString('hex'),
}

/** Length (u32) | UTF-8. The sender checks the value. */
export function text<T extends string = string>(): Field<T> {
  return {
    size: value => lengthBytes + Buffer.byteLength(value),
    write(payload, value, offset) {
      const length = payload.write(value, offset + lengthBytes)
      return payload.writeUInt32BE(length, offset) + length
    },
    read: cursor => cursor.bytes().toString() as T,
  }
}

/** Flag | the value, if the flag is set. */
export function optional<I, O>(field: Field<I, O>): OptionalField<I, O> {
  return {
    isOptional: true,
    size: value => 1 + (value === undefined ? 0 : field.size(value)),
    write(payload, value, offset) {
      const start = flag.write(payload, value !== undefined, offset)
      return value === undefined ? start : field.write(payload, value, start)
    },
    read: cursor => (flag.read(cursor) ? field.read(cursor) : undefined),
  }
}

/** Count (u32) | that many values. */
export function list<I, O>(field: Field<I, O>): Field<readonly I[], readonly O[]> {
  return {
    size: values => lengthBytes + values.reduce((sum, value) => sum + field.size(value), 0),
    write(payload, values, offset) {
      const start = payload.writeUInt32BE(values.length, offset)
      return values.reduce((end, value) => field.write(payload, value, end), start)
    },
    read(cursor) {
      const count = u32.read(cursor)
      const values: O[] = []
      while (values.length < count) values.push(field.read(cursor))
      return values
    },
  }
}

/** The fields in turn. */
export function record<F extends FieldList>(list: F): Field<Packed<F>, Unpacked<F>> {
  const entries = Object.entries(list)
  return {
    size(value: Record<string, unknown>) {
      let size = 0
      for (const [name, field] of entries) size += field.size(value[name])
      return size
    },
    write(payload: Buffer, value: Record<string, unknown>, offset: number) {
      let end = offset
      for (const [name, field] of entries) end = field.write(payload, value[name], end)
      return end
    },
    read(cursor: Cursor) {
      const value: Record<string, unknown> = {}
      for (const [name, field] of entries) value[name] = field.read(cursor)
      return value as Unpacked<F>
    },
  }
}

/** A message of one field. */
export function message<I, O>(field: Field<I, O>): Message<I, O> {
  return {
    encode(value) {
      const payload = Buffer.allocUnsafe(field.size(value))
      field.write(payload, value, 0)
      return payload
    },
    decode(payload) {
      const cursor = new Cursor(payload)
      const value = field.read(cursor)
      if (cursor.offset < payload.length) throw malformed(`${payload.length - cursor.offset} bytes too many`)
      return value
    },
  }
}

/** A message of a list of fields. */
export function fields<F extends FieldList>(list: F): Message<Packed<F>, Unpacked<F>> {
  return message(record(list))
}

/** A message that is the bytes themselves, without a copy. */
export const wholePayload: Message<Buffer> = {
  encode: value => value,
  decode: payload => payload,
}

/** An empty message. */
export const nothing: Message<void> = {
  encode: () => Buffer.alloc(0),
  decode(payload) {
    if (payload.length > 0) throw malformed(`${payload.length} bytes too many`)
  },
}

/** A message of any number of values: two concatenated messages are one. */
export function sequence<I, O>(field: Field<I, O>): Message<readonly I[], readonly O[]> {
  return {
    encode(values) {
      const payload = Buffer.allocUnsafe(values.reduce((sum, value) => sum + field.size(value), 0))
      values.reduce((end, value) => field.write(payload, value, end), 0)
      return payload
    },
    decode(payload) {
      const cursor = new Cursor(payload)
      const values: O[] = []
      while (cursor.offset < payload.length) values.push(field.read(cursor))
      return values
    },
  }
}
