/** TLS, HTTP: "API content type" of the specification, and what connections rely on. */
import { readFileSync } from 'node:fs'
import { accepted, type Check, expectThat, must, Skipped, should } from '../check.ts'
import type { Sent, XksProxy } from '../proxy.ts'

const health = (proxy: XksProxy) => ({ body: { requestMetadata: proxy.requestMetadata('KmsHealthCheck') } })
const healthRequest = (proxy: XksProxy) => proxy.signed(proxy.pathOf('health'), health(proxy))

/** Those that KMS offers, as OpenSSL names them. */
const tls12 = 'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384'
const tls13 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'

async function speaks(proxy: XksProxy, options: object): Promise<boolean> {
  try {
    const socket = await proxy.connect(options)
    socket.destroy()
    return true
  } catch {
    return false
  }
}

/** As it is written to a connection. */
function bytesOf({ method, path, headers, body }: Sent): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), body])
}

const statusLine = /HTTP\/1\.1 (\d{3})/g

export const transportChecks: readonly Check[] = [
  must('have a certificate that is valid for its host name, over IPv4', async proxy => {
    const socket = await proxy.connect({})
    socket.destroy()
  }),
  must('speak TLS 1.3 or 1.2 with one of the cipher suites of KMS', async proxy => {
    const works =
      (await speaks(proxy, { minVersion: 'TLSv1.3', ciphers: tls13 })) ||
      (await speaks(proxy, { maxVersion: 'TLSv1.2', ciphers: tls12 }))
    expectThat(works, `one of ${tls13}:${tls12}`, 'no handshake')
  }),
  must('refuse requests without the client certificate that it asks for', async proxy => {
    if (proxy.options.clientCertificate === undefined) throw new Skipped('no --client-certificate')
    await expectUnanswered(proxy, { cert: undefined, key: undefined })
  }),
  must('refuse requests with another client certificate', async proxy => {
    const { otherCertificate, otherKey } = proxy.options
    if (otherCertificate === undefined) throw new Skipped('no --other-certificate')
    await expectUnanswered(proxy, { cert: readFileSync(otherCertificate), key: readFileSync(otherKey!) })
  }),
  must('answer requests over HTTP/1.1', async proxy => {
    accepted(await proxy.send(healthRequest(proxy)))
  }),
  should('keep a connection open for the next request', async proxy => {
    await proxy.send(healthRequest(proxy))
    const { reused, headers } = await proxy.send(healthRequest(proxy))
    expectThat(reused, 'the same connection', `a new one (Connection: ${headers.connection ?? 'none'})`)
  }),
  should('answer requests in their order that are sent at once on one connection', async proxy => {
    const { method, path } = healthRequest(proxy)
    const unsigned = { method, path, headers: { host: proxy.host, 'content-length': '2' }, body: Buffer.from('{}') }
    const requests = [healthRequest(proxy), unsigned, healthRequest(proxy)]
    const statusesIn = (text: string) => [...text.matchAll(statusLine)].map(([, status]) => status)
    const received = await proxy.raw(Buffer.concat(requests.map(bytesOf)), text => statusesIn(text).length === 3)
    expectThat(
      statusesIn(received).join() === '200,401,200',
      '200, 401, 200',
      statusesIn(received).join(', ') || 'nothing',
    )
  }),
  should('answer a request that arrives in pieces', async proxy => {
    const bytes = bytesOf(healthRequest(proxy))
    const socket = await proxy.connect({})
    const { promise, resolve } = Promise.withResolvers<string>()
    socket.once('data', part => resolve(part.toString('latin1')))
    socket.once('close', () => resolve('a closed connection'))
    for (const at of [0, 1, 2, 3]) {
      const size = Math.ceil(bytes.length / 4)
      socket.write(bytes.subarray(at * size, (at + 1) * size))
      await new Promise(done => setImmediate(done))
    }
    const received = await promise
    socket.destroy()
    expectThat(received.startsWith('HTTP/1.1 200'), '200', received.split('\r\n')[0]!)
  }),
]

/** The connection ends, or the answer is 401: a proxy with several prefixes may not know yet which one is meant when it shakes hands. */
async function expectUnanswered(proxy: XksProxy, certificate: object): Promise<void> {
  const received = await answerTo(proxy, bytesOf(healthRequest(proxy)), certificate)
  expectThat(/^($|HTTP\/1\.1 401 )/.test(received), 'no answer, or 401', received.split('\r\n')[0]!)
}

/** What the proxy sends, if anything. */
async function answerTo(proxy: XksProxy, bytes: Buffer, certificate: object): Promise<string> {
  try {
    const socket = await proxy.connect(certificate)
    const { promise, resolve } = Promise.withResolvers<string>()
    socket.on('data', part => resolve(part.toString('latin1')))
    socket.on('error', () => resolve(''))
    socket.on('close', () => resolve(''))
    socket.write(bytes)
    const received = await promise
    socket.destroy()
    return received
  } catch {
    return ''
  }
}
