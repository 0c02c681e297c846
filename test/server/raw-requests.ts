/** Bytes on a socket, as no HTTP client would send them, and what comes back. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export async function open(url: string): Promise<Socket> {
  const { hostname, port, protocol } = new URL(url)
  const options = { host: hostname, port: Number(port), allowHalfOpen: true }
  const isTls = protocol === 'https:'
  const socket = isTls ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options)
  await once(socket, isTls ? 'secureConnect' : 'connect')
  return socket.on('error', () => {})
}

/** Resolves when the server has closed the connection, or the socket is destroyed: to everything that came. */
export async function everythingFrom(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  socket.on('data', part => parts.push(part)).once('end', () => socket.end())
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(parts)
}

/** All answers in what came over a connection. Throws when there is anything else in it. */
export function answersIn(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = bytes.toString('latin1')
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    const [statusLine, ...lines] = rest.slice(0, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine!)?.[1])
    if (end < 0 || Number.isNaN(status)) throw new Error(`not an HTTP answer: ${JSON.stringify(rest.slice(0, 200))}`)
    const headers = Object.fromEntries(
      lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.replace(/^[^:]*: ?/, '')]),
    )
    const length = status === 100 ? 0 : Number(headers['content-length'])
    const body = rest.slice(end + 4, end + 4 + length)
    if (body.length !== length) throw new Error('an answer is not whole')
    answers.push({ status, headers, body: Buffer.from(body, 'latin1').toString() })
    rest = rest.slice(end + 4 + length)
  }
  return answers
}
