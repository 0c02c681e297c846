import { readFileSync } from 'node:fs'
import { type AddressInfo, isIPv6 } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Api, ApiRequest } from './apis/api.ts'
import { Failure, OperatorError } from './errors.ts'
import { handle } from './pipeline.ts'
import type { Readiness } from './readiness.ts'
import type { PathServices } from './services.ts'

/** Sockets, TLS, limits, and which route leads into the path. Nothing else knows an HTTP server. */

export interface Listen {
  readonly host: string
  readonly port: number
  /** Paths of PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined
  /** Bytes. */
  readonly bodyLimit: number
}

export interface RunningServer {
  readonly url: string
  /** Stops accepting, finishes what is in flight, closes. */
  close(): Promise<void>
}

export async function serveApi(
  listen: Listen,
  api: Api,
  services: PathServices,
  readiness: () => Promise<Readiness>,
): Promise<RunningServer> {
  const running = new InFlight()
  const handleInStep = async (request: ApiRequest) => {
    running.begin()
    await endOfTurn()
    try {
      return await handle(request, api, services)
    } finally {
      running.end()
    }
  }
  const answer = async (request: FastifyRequest, reply: FastifyReply, failure?: Failure) => {
    const { status, headers, body } = await handleInStep(apiRequest(request, failure))
    // The answer is complete: what Fastify would do to it costs time, and adds a charset to the content type.
    reply.hijack()
    reply.raw.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body)
  }
  const server = newServer(listen, (request, reply) => answer(request, reply, new Failure('UnknownOperationException')))
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  server.removeContentTypeParser(['application/json', 'text/plain'])
  server.all('/', (request, reply) => answer(request, reply))
  // Whatever else is asked for is a call that must be refused on record, too.
  server.setNotFoundHandler((request, reply) => answer(request, reply))
  server.setErrorHandler((error: Error & { code?: string }, request, reply) => answer(request, reply, failureOf(error)))
  server.get('/healthz', async () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const { ready, parts } = await readiness()
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'failing', parts })
  })
  const { url, close } = await start(server, listen)
  return {
    url,
    async close() {
      await close()
      // Also of callers who went away meanwhile: what was begun is put on record.
      await running.drained()
    },
  }
}

export async function serveMetrics(
  listen: Pick<Listen, 'host' | 'port'>,
  text: () => Promise<string>,
): Promise<RunningServer> {
  const server = newServer({ ...listen, bodyLimit: 1 })
  server.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4').send(await text()))
  return start(server, listen)
}

type Answer = (request: FastifyRequest, reply: FastifyReply) => unknown

/** @param unroutable answers requests whose URL cannot even be read */
function newServer({ tls, bodyLimit }: Pick<Listen, 'tls' | 'bodyLimit'>, unroutable?: Answer): FastifyInstance {
  const options = {
    bodyLimit,
    forceCloseConnections: 'idle',
    requestTimeout: 30_000,
    return503OnClosing: false,
    ...(unroutable && {
      frameworkErrors: (_error: Error, request: FastifyRequest, reply: FastifyReply) => unroutable(request, reply),
    }),
  } as const
  if (!tls) return fastify(options)
  const https = { cert: readPem(tls.certificate), key: readPem(tls.key) }
  try {
    return fastify({ ...options, https }) as unknown as FastifyInstance
  } catch (error) {
    const message = `the TLS files ${tls.certificate} and ${tls.key} cannot be used: ${(error as Error).message}`
    throw new OperatorError(message, { cause: error })
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new OperatorError(`the TLS file ${file} cannot be read`, { cause: error })
  }
}

async function start(server: FastifyInstance, { host, port }: Pick<Listen, 'host' | 'port'>): Promise<RunningServer> {
  const close = gracefulClose(server)
  try {
    await server.listen({ host, port })
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, host, port)
  }
  const bound = (server.server.address() as AddressInfo).port
  const name = isIPv6(host) ? `[${host}]` : host
  const scheme = 'key' in server.server ? 'https' : 'http'
  return { url: `${scheme}://${name}:${bound}`, close }
}

/** How many have begun and not ended. */
class InFlight {
  #count = 0
  #drained: (() => void) | undefined

  begin(): void {
    this.#count++
  }

  end(): void {
    if (--this.#count === 0) this.#drained?.()
  }

  /** Resolves when there are none. */
  async drained(): Promise<void> {
    if (this.#count > 0) await new Promise<void>(resolve => (this.#drained = resolve))
  }
}

/** Milliseconds for a request that is still being sent when the server closes. */
const closeGrace = 1000

/** Answers every request that has come in whole. Connections on which none did would keep the server open for ever. */
function gracefulClose(server: FastifyInstance): () => Promise<void> {
  const inFlight = new InFlight()
  server.addHook('preHandler', (_request, reply, done) => {
    inFlight.begin()
    reply.raw.once('close', () => inFlight.end())
    done()
  })
  return async () => {
    const closed = server.close()
    await Promise.race([closed, delay(closeGrace, undefined, { ref: false })])
    await inFlight.drained()
    server.server.closeAllConnections()
    await closed
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: 'the port is in use',
    EACCES: 'permission is denied',
    EADDRNOTAVAIL: 'this machine does not have the address',
    ENOTFOUND: 'the host is not known',
  }
  const reason = reasons[error.code ?? ''] ?? error.message
  return new OperatorError(`cannot listen on ${host}:${port}: ${reason}`, { cause: error })
}

let turn: Promise<void> | undefined

/**
 * Resolves once this turn of the event loop has read what lies in the sockets. Its requests then walk the path in step:
 * the machine code of each step stays in the processor's cache, and a request takes about a quarter less time.
 */
function endOfTurn(): Promise<void> {
  turn ??= new Promise(resolve => {
    setImmediate(() => {
      turn = undefined
      resolve()
    })
  })
  return turn
}

const nothing = new Uint8Array()

function apiRequest(request: FastifyRequest, failure?: Failure): ApiRequest {
  return {
    method: request.method,
    url: request.url,
    headers: request.headers,
    body: request.body instanceof Uint8Array ? request.body : nothing,
    sourceAddress: request.ip,
    failure,
  }
}

function failureOf(error: Error & { code?: string }): Failure {
  const { code = '' } = error
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new Failure('RequestEntityTooLargeException', 'The request body is too large.', { cause: error })
  }
  // A content type that is none is not the one of the protocol.
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Failure('UnknownOperationException')
  // ECONNRESET: the caller went away in the middle of the body. There is nobody to answer, but there was a call.
  if (code === 'ECONNRESET' || code.startsWith('FST_ERR_CTP')) {
    return new Failure('SerializationException', '', { cause: error })
  }
  return Failure.from(error)
}
