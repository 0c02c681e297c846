/**
 * Messages as typed lists of fields: a list says once how a message is packed, how it is unpacked, and the types of both. Fields follow
 * one another in the order of their list, without padding; numbers are big-endian.
 */
import { Failure } from '../../errors.ts'

/** How one value is packed and unpacked. Bytes are taken as Uint8Array, and given as a view of the payload. */
export interface Field<In, Out = In> {
  /** Bytes that the value takes. */
  size(value: In): number
  /** Writes `size` bytes, and returns the offset behind them. Throws a Failure for a value that cannot be packed. */
  write(payload: Buffer, value: In, offset: number): number
  /** Throws a Failure when the payload ends before the value does, or holds no such value. */
  read(cursor: Cursor): Out
}

/** A field that may be absent: an optional property. */
export interface OptionalField<In, Out = In> extends Field<In | undefined, Out | undefined> {
  readonly isOptional: true
}

/** What a whole payload carries. */
export interface Message<In, Out = In> {
  encode(value: In): Buffer
  /** Throws a Failure when the payload is not exactly one such message. */
  decode(payload: Buffer): Out
}

// biome-ignore lint/suspicious/noExplicitAny: a list of fields of whatever type
type FieldList = Readonly<Record<string, Field<any, any>>>
type OptionalName<F extends FieldList> = {
  [K in keyof F]: F[K] extends OptionalField<infer _I, infer _O> ? K : never
}[keyof F]
type In<T> = T extends Field<infer I, infer _O> ? I : never
type Out<T> = T extends Field<infer _I, infer O> ? O : never

/** The value that a list of fields packs. */
export type Packed<F extends FieldList> = {
  readonly [K in Exclude<keyof F, OptionalName<F>>]: In<F[K]>
} & { readonly [K in OptionalName<F>]?: In<F[K]> }
/** The same as it is unpacked. */
export type Unpacked<F extends FieldList> = {
  readonly [K in Exclude<keyof F, OptionalName<F>>]: Out<F[K]>
} & { readonly [K in OptionalName<F>]?: Out<F[K]> }

/** Where the next field of a payload begins. */
export class Cursor {
  readonly payload: Buffer
  offset = 0

  constructor(payload: Buffer) {
    this.payload = payload
  }

  /** Moves behind the next `length` bytes, and returns where they begin. */
  take(length: number): number {
    const start = this.offset
    if (length > this.payload.length - start) throw malformed('it ends too early')
    this.offset = start + length
    return start
  }

  /** A view of the bytes behind the next length. */
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

/** So many bytes, as twice as many lower-case hex digits. */
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

/** Bytes that are wiped where they came from as soon as they are packed. */
export const secret: Field<Uint8Array, Buffer> = {
  ...bytes,
  write(payload, value, offset) {
    const end = bytes.write(payload, value, offset)
    value.fill(0)
    return end
  },
}

/** Length (u32) | any number of bytes, as lower-case hex digits. */
export const hexBytes: Field<string> = {
  size: value => lengthBytes + value.length / 2,
  write(payload, value, offset) {
    const start = payload.writeUInt32BE(value.length / 2, offset)
    return start + payload.write(value, start, 'hex')
  },
  read: cursor => cursor.bytes().toString('hex'),
}

/** Length (u32) | UTF-8. What it says is checked by whoever sends it. */
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

/** Flag | the value, where the flag is set. */
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

/** One field after another. */
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

/** A message that is the bytes themselves: nothing is copied. */
export const wholePayload: Message<Buffer> = {
  encode: value => value,
  decode: payload => payload,
}

/** A message that says nothing but that it is there. */
export const nothing: Message<void> = {
  encode: () => Buffer.alloc(0),
  decode(payload) {
    if (payload.length > 0) throw malformed(`${payload.length} bytes too many`)
  },
}

/** A message of as many values as there are: two of them, one behind the other, are one. */
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
