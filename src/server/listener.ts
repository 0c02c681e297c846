import { createServer, type Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https'
import { type AddressInfo, isIPv6, Server as NetServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { Failure } from '../errors.ts'
import type { ConnectionMetrics, Log } from '../services.ts'
import { type ClientCertificates, clientCertificateOf, followAuthorities } from './client-certificates.ts'
import { type ConnectionLimits, Connections } from './connections.ts'
import { listenError } from './listen-error.ts'
import { ReceivedRequest } from './received-request.ts'
import { failureOfParser } from './refusals.ts'
import type { Respond } from './router.ts'
import { readTlsPair, renewTls, type TlsFiles, verifying } from './tls.ts'
import { listenOnSocket } from './unix-socket.ts'

/** A listener over Node.js's HTTP server: time-outs, TLS, graceful shutdown. */

type Server = HttpServer<typeof ReceivedRequest>
type TlsServer = HttpsServer<typeof ReceivedRequest>

/** Where to listen. */
export type Address = { readonly host: string; readonly port: number } | { readonly socketPath: string }

export type ListenerOptions = Address & ListenerSettings

interface ListenerSettings extends ConnectionLimits {
  readonly tls?: TlsFiles | undefined
  /** Absent: clients are asked for no certificate. */
  readonly clients?: ClientCertificates | undefined
  readonly respond: Respond
  readonly metrics?: ConnectionMetrics | undefined
  readonly log: Log
}

export interface RunningServer {
  readonly url: string
  /** Reads the TLS files again, whether they have changed or not. */
  reload(): void
  /**
   * Stops accepting, answers received requests, and closes, within 25 seconds: the last connections are aborted after 20, then requests in
   * progress have 5 to be audited.
   *
   * @param isPatient also answers requests that arrive in the next second on connections that are open: another process has taken over
   */
  close(isPatient?: boolean): Promise<void>
}

const options = {
  IncomingMessage: ReceivedRequest,
  /** Bytes of the request line and the headers. */
  maxHeaderSize: 65_536,
  /** Milliseconds: from the first byte of a request to the end of its headers, and to its end. */
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 72_000,
  // Checked with the rest of the request, where a refusal is audited.
  requireHostHeader: false,
  noDelay: true,
}
const handshakeTimeout = 10_000

/** Milliseconds. */
const sweepInterval = 1000
const closing = { sweepInterval: 50, receive: 1000, connections: 20_000, drain: 5000 }

/** Rejects with OperatorError if it cannot listen, or the TLS files cannot be used. */
export async function listen(listener: ListenerOptions): Promise<RunningServer> {
  const { tls, clients, respond, metrics, log } = listener
  const connections = new Connections(listener, respond, log, metrics)
  const server = tls
    ? createTlsServer({ ...options, handshakeTimeout, ...readTlsPair(tls), ...asking(clients) })
    : createServer(options)
  connectEvents(server, connections, tls !== undefined, clients)
  await listening(server, listener)
  // For example a connection that cannot be accepted: the others continue.
  server.on('error', error => log.error({ event: 'listener_failed', err: error }, 'Listening socket failed'))
  const sweeping = setInterval(() => connections.sweep(), sweepInterval).unref()
  const renewal = tls && renewTls(server as TlsServer, tls, log, clients)
  if (renewal && clients) followAuthorities(server as TlsServer, clients, () => renewal.now())
  return {
    url: 'socketPath' in listener ? listener.socketPath : urlOf(server, listener.host, tls !== undefined),
    reload: () => renewal?.now(),
    async close(isPatient = false) {
      clearInterval(sweeping)
      renewal?.stop()
      await close(server, connections, log, isPatient)
    },
  }
}

/** What is not of a trusted authority is refused later, as it depends on the prefix whether there must be a certificate. */
function asking(clients: ClientCertificates | undefined) {
  return clients === undefined ? {} : { requestCert: true, rejectUnauthorized: false, ...verifying(clients) }
}

function connectEvents(
  server: Server,
  connections: Connections,
  isTls: boolean,
  clients: ClientCertificates | undefined,
): void {
  // A client may close its side of the connection after a request and still get the answer. Undocumented option of Node.js.
  Object.assign(server, { httpAllowHalfOpen: true })
  // Beyond a maximum it would silently drop headers.
  server.maxHeadersCount = 0
  const request: RequestListener<typeof ReceivedRequest> = (request, response) =>
    connections.request(request, response, false)
  server
    .on('connection', (socket: Socket) => connections.accepted(socket, isTls))
    .on('request', request)
    // An unknown expectation is refused with other errors in headers.
    .on('checkExpectation', request)
    .on('checkContinue', (request, response) => connections.request(request, response, true))
    .on('connect', (_request, socket) => {
      connections.refuse(socket as Socket, new Failure('UnknownOperation'))
    })
    .on('clientError', (error: NodeJS.ErrnoException, socket) => {
      connections.refuse(socket as Socket, failureOfParser(error))
    })
  if (!isTls) return
  server.on('secureConnection', (socket: TLSSocket) => {
    if (clients === undefined || clients.admits(clientCertificateOf(socket))) connections.connected(socket)
    else socket.destroy()
  })
}

async function close(server: Server, connections: Connections, log: Log, isPatient: boolean): Promise<void> {
  // That of node:http closes idle connections, whose next request may be on its way.
  const closed = new Promise<void>(resolve => {
    if (isPatient) NetServer.prototype.close.call(server, () => resolve())
    else server.close(() => resolve())
  })
  const drained = connections.close()
  if (!isPatient) connections.closeUnused()
  const stopReceiving = () => {
    connections.closeUnused()
    connections.stopReceiving()
  }
  const timers = [
    setInterval(() => connections.sweep(), closing.sweepInterval),
    setTimeout(stopReceiving, closing.receive),
    setTimeout(() => connections.destroyAll(), closing.connections),
  ]
  await closed
  for (const timer of timers) clearTimeout(timer)
  // Also of clients that have disconnected: requests in progress are audited.
  const isDrained = await Promise.race([drained.then(() => true), delay(closing.drain, false, { ref: false })])
  if (!isDrained) log.warn({ event: 'requests_aborted' }, 'Requests still in progress were aborted at shutdown')
}

function urlOf(server: Server, host: string, isTls: boolean): string {
  const { port } = server.address() as AddressInfo
  return `${isTls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}`
}

async function listening(server: Server, address: Address): Promise<void> {
  if ('socketPath' in address) {
    return listenOnSocket(server, address.socketPath).catch(error => {
      throw listenError(error as NodeJS.ErrnoException, address.socketPath)
    })
  }
  const { host, port } = address
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve))
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, `${host}:${port}`)
  }
}
