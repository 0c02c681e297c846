import { hostname } from 'node:os'
import { pino } from 'pino'

/**
 * Fields of a log line; never secrets. `event` is a snake_case slug that stays the same when the message changes: docs/operations.md
 * lists all of them.
 */
export interface LogFields {
  readonly event: string
  readonly [field: string]: unknown
}

/** The part of the logger that the gateway uses. Messages are short, begin with a capital and have no full stop. */
export interface Log {
  error(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
}

/** Fields that are redacted, should one ever be passed by mistake. */
const secret = [
  'pin',
  'secret',
  'secretAccessKey',
  'sessionToken',
  'plaintext',
  'Plaintext',
  'authorization',
  'password',
]

/** Bytes buffered while standard error is a pipe that is not read. */
const maximumBacklog = 1024 * 1024

/** Each write reports its own failure. */
function ignore(): void {}

/**
 * JSON lines on standard error; standard output is for the output of commands. Logging neither throws nor blocks: a line that cannot be
 * written, because the disk is full or the reader is gone or does not read, is dropped.
 * @param dropped called for each dropped line
 * @param gateway its name, in every line
 */
export function createLog(
  level: string,
  dropped: () => void,
  gateway: string,
  stream: NodeJS.WritableStream = process.stderr,
): Log {
  const paths = secret.flatMap(name => [name, `*.${name}`])
  if (stream.listenerCount('error') === 0) stream.on('error', ignore)
  const write = (line: string) => {
    if ('writableLength' in stream && Number(stream.writableLength) > maximumBacklog) dropped()
    else stream.write(line, error => error && dropped())
  }
  const logger = pino(
    { level, base: { pid: process.pid, hostname: hostname(), gateway }, redact: { paths, censor: '[secret]' } },
    { write },
  )
  const harmless = (level: keyof Log) => (fields: LogFields, message: string) => {
    try {
      logger[level](fields, message)
    } catch {
      dropped()
    }
  }
  return { error: harmless('error'), warn: harmless('warn'), info: harmless('info') }
}
