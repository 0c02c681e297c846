import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ApiRequest } from '../../src/apis/api.ts'
import { Failure } from '../../src/errors.ts'
import { connectionsWithin, descriptorLimit } from '../../src/server/descriptors.ts'
import { type ListenerOptions, listen, type RunningServer } from '../../src/server/listener.ts'
import { maximumTarget } from '../../src/server/request.ts'
import { answersIn, everythingFrom, open } from './raw-requests.ts'

/** The limits of a listener alone: what is refused or closed beyond them. */

const log = { error() {}, warn() {}, info() {} }
let server: RunningServer
const sockets: Socket[] = []
const cut: string[] = []
let begun = 0

/** Reads the body of each request and answers its length, or the code of the failure. */
async function measure(request: ApiRequest) {
  begun++
  try {
    if (request.failure) throw request.failure
    const { length } = await request.body()
    return { status: 200, headers: {}, body: String(length) }
  } catch (thrown) {
    const { status, code } = Failure.from(thrown)
    return { status, headers: {}, body: code }
  }
}

async function start(options: Partial<ListenerOptions> = {}): Promise<void> {
  cut.length = 0
  begun = 0
  const metrics = {
    connectionOpened() {},
    connectionClosed() {},
    connectionAborted: (reason: string) => void cut.push(reason),
  }
  const limits = { maxBodySize: 10_000, maxBodyMemory: 50_000, maxConnections: 100 }
  server = await listen({ host: '127.0.0.1', port: 0, ...limits, respond: measure, metrics, log, ...options })
}

afterEach(async () => {
  vi.useRealTimers()
  for (const socket of sockets.splice(0)) socket.destroy()
  await server?.close()
})

async function opened(): Promise<Socket> {
  const socket = await open(server.url)
  sockets.push(socket)
  return socket
}

const post = (length: number, body: string) => `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n${body}`

async function answerTo(socket: Socket): Promise<string> {
  const everything = everythingFrom(socket)
  socket.end()
  return answersIn(await everything)[0]!.body
}

describe('a body', () => {
  it.each([
    ['whole', [post(5, '12345')]],
    ['in two pieces', [post(5, '12'), '345']],
    ['after its headers', [post(5, ''), '1', '2', '345']],
    [
      'in chunks',
      ['POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n12\r\n', '3\r\n345\r\n0\r\n\r\n'],
    ],
    ['with another request behind it', [post(5, '12345') + post(1, 'x')]],
  ])('is read %s', async (_, parts) => {
    await start()
    const socket = await opened()
    const everything = everythingFrom(socket)
    for (const part of parts) {
      socket.write(part)
      await delay(5)
    }
    socket.end()
    expect(answersIn(await everything)[0]).toMatchObject({ status: 200, body: '5' })
  })

  it('that has been arriving the longest is aborted for others', async () => {
    await start()
    const slow: Socket[] = []
    const answers: Promise<Buffer>[] = []
    for (let count = 0; count < 6; count++) {
      slow.push(await opened())
      answers.push(everythingFrom(slow[count]!))
      slow[count]!.write(post(10_000, 'x'.repeat(9999)))
      // Until it holds its memory.
      await expect.poll(() => begun).toBe(count + 1)
      await delay(20)
    }
    expect(answersIn(await answers[0]!)).toMatchObject([{ status: 400, body: 'Throttling' }])
    for (const socket of slow.slice(1)) socket.end('x')
    for (const answer of answers.slice(1))
      expect(answersIn(await answer)).toMatchObject([{ status: 200, body: '10000' }])
  })

  it('releases its memory, whether it is answered, refused or aborted', async () => {
    await start()
    for (let round = 0; round < 15; round++) {
      const abandoned = await opened()
      abandoned.write(post(10_000, 'x'.repeat(5000)))
      await delay(1)
      abandoned.destroy()
      const long = await opened()
      long.write(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2711\r\n${'x'.repeat(10_001)}`)
      expect(await answerTo(long)).toBe('RequestEntityTooLarge')
      const whole = await opened()
      whole.write(post(10_000, 'x'.repeat(10_000)))
      expect(await answerTo(whole)).toBe('10000')
    }
  })

  it('in a great many pieces is refused, and the rest of it is not parsed', async () => {
    await start()
    const socket = await opened()
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(5000)}`)
    expect(await answerTo(socket)).toBe('MalformedHttpRequest')
  })
})

describe('a request target', () => {
  it.each([
    ['/', '/a'],
    ['/?', 'a&'],
    ['/', '%2f'],
    ['/?', '%c3=%ff&'],
    ['http://example.com/', '../'],
    ['', '*'],
  ])('that is %s and many times %s is refused before it is parsed', async (begin, repeated) => {
    let seen: ApiRequest | undefined
    await start({
      respond(request) {
        seen = request
        return measure(request)
      },
    })
    const answer = async (length: number) => {
      const target = `${begin}${repeated.repeat(length)}`.slice(0, length)
      const socket = await opened()
      socket.write(Buffer.from(`POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`, 'latin1'))
      return answerTo(socket)
    }
    expect(await answer(maximumTarget)).toBe('0')
    expect(seen!.url.length).toBeGreaterThan(maximumTarget - 20)
    for (const length of [maximumTarget + 1, 60_000]) {
      expect(await answer(length)).toBe('MalformedHttpRequest')
      expect(seen!.url).toBe('')
    }
  })
})

describe('at the connection limit', () => {
  it('the one that has been idle the longest is closed for a new one', async () => {
    await start({ maxConnections: 3 })
    const [first, second, third] = [await opened(), await opened(), await opened()]
    // The first is now the last that had a request.
    first.write(post(1, 'x'))
    await once(first, 'data')
    const closed = everythingFrom(second)
    const fourth = await opened()
    await closed
    for (const socket of [first, third, fourth]) {
      socket.write(post(2, 'xx'))
      expect(await answerTo(socket)).toBe('2')
    }
    expect(cut).toEqual(['limit'])
  })

  it('and all are busy, the new one is closed', async () => {
    await start({ maxConnections: 2 })
    const busy = [await opened(), await opened()]
    for (const socket of busy) socket.write(post(2, 'x'))
    // Until both are read.
    await expect.poll(() => begun).toBe(2)
    expect(await everythingFrom(await opened())).toHaveLength(0)
    expect(cut).toEqual(['limit'])
    for (const socket of busy) {
      socket.write('x')
      expect(await answerTo(socket)).toBe('2')
    }
  })
})

describe('with time', () => {
  const fakeTime = () => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })

  it('a connection whose client does not read the answer is closed', async () => {
    fakeTime()
    const asked = Promise.withResolvers<void>()
    const respond = async () => {
      asked.resolve()
      return { status: 200, headers: {}, body: 'x'.repeat(20_000_000) }
    }
    await start({ respond })
    const socket = await opened()
    socket.pause().write(post(1, 'x'))
    await asked.promise
    await delay(20)
    vi.advanceTimersByTime(19_000)
    expect(cut).toEqual([])
    vi.advanceTimersByTime(3000)
    expect(cut).toEqual(['not_read'])
    await everythingFrom(socket.resume())
  })

  it('a connection whose client does not send the rest of a refused body is closed', async () => {
    fakeTime()
    await start({ respond: async () => ({ status: 400, headers: {}, body: '' }) })
    const socket = await opened()
    socket.write(post(9, 'x'))
    await once(socket, 'data')
    await delay(50)
    vi.advanceTimersByTime(4000)
    expect(cut).toEqual(['body_not_sent'])
    await everythingFrom(socket)
  })
})

describe('an answer that cannot be given', () => {
  it.each<[string, ListenerOptions['respond']]>([
    ['because nobody foresaw it', async () => Promise.reject(new Error('unforeseen'))],
    [
      'because its header is none',
      async ({ failure }) => ({ status: failure ? 400 : 200, headers: { 'x-a': 'b\r\nc' }, body: '' }),
    ],
    ['because its status is none', async () => ({ status: 9, headers: {}, body: '' })],
  ])('%s closes its connection only', async (_, respond) => {
    let isBroken = true
    await start({ respond: (request, raw) => (isBroken ? respond(request, raw) : measure(request)) })
    const socket = await opened()
    socket.write(post(1, 'x'))
    expect(await everythingFrom(socket)).toHaveLength(0)
    isBroken = false
    const other = await opened()
    other.write(post(1, 'x'))
    expect(await answerTo(other)).toBe('1')
  })
})

describe('the limit of open files', () => {
  it('keeps the reserve for everything else', () => {
    expect(connectionsWithin([1000], 100, 5000)).toEqual([1000])
    expect(connectionsWithin([1000], 100, 600)).toEqual([500])
    expect(connectionsWithin([1000, 1000], 100, 600)).toEqual([250, 250])
    expect(connectionsWithin([300, 100], 100, 300)).toEqual([150, 50])
    expect(connectionsWithin([1000], 100, Number.POSITIVE_INFINITY)).toEqual([1000])
    expect(connectionsWithin([1000, 1], 100, 50)).toEqual([1, 1])
  })

  it('is that of this process', () => {
    expect(descriptorLimit()).toBeGreaterThan(0)
  })
})
