import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Failure } from '../errors.ts'
import type { ConnectionMetrics, Log } from '../services.ts'
import { BodyBudget } from './body.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import type { ReceivedRequest } from './received-request.ts'
import type { Respond } from './router.ts'

/** All connections of a listener: their limit, and which to close beyond it. */

export interface ConnectionLimits {
  /** Bytes of a request body. */
  readonly maxBodySize: number
  /** Bytes of the request bodies of all connections together. */
  readonly maxBodyMemory: number
  readonly maxConnections: number
}

/** Pipelined requests waiting on all connections together. */
const waitingLimit = 10_000

export class Connections implements ConnectionHost {
  readonly maxBodySize: number
  readonly budget: BodyBudget
  readonly respond: Respond
  readonly #maximum: number
  readonly #log: Log
  readonly #metrics: ConnectionMetrics | undefined
  readonly #sockets = new Set<Socket>()
  /** TLS sockets before the handshake has ended, by peer address, oldest first. */
  readonly #handshakes = new Map<string, Socket>()
  readonly #connections = new Map<Socket, Connection>()
  /** Idle connections, the longest idle first. */
  readonly #idle = new Set<Connection>()
  #waiting = 0
  #underWay = 0
  #drained = Promise.withResolvers<void>()
  #closingSince: number | undefined

  constructor(
    { maxBodySize, maxBodyMemory, maxConnections }: ConnectionLimits,
    respond: Respond,
    log: Log,
    metrics?: ConnectionMetrics,
  ) {
    this.maxBodySize = maxBodySize
    this.budget = new BodyBudget(maxBodyMemory)
    this.#maximum = maxConnections
    this.respond = respond
    this.#log = log
    this.#metrics = metrics
  }

  get closing(): boolean {
    return this.#closingSince !== undefined
  }

  /** A socket was accepted: a connection, or a TLS handshake. */
  accepted(socket: Socket, isTls: boolean): void {
    if (this.#sockets.size >= this.#maximum) this.#makeRoom(socket)
    if (socket.destroyed) return
    this.#sockets.add(socket)
    this.#metrics?.connectionOpened()
    const peer = peerOf(socket)
    if (isTls) this.#handshakes.set(peer, socket)
    else this.connected(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#handshakes.delete(peer)
      this.#metrics?.connectionClosed()
    })
  }

  /** A connection is readable: at once, or after its TLS handshake. */
  connected(socket: Socket): void {
    this.#handshakes.delete(peerOf(socket))
    const connection = new Connection(socket, this)
    this.#connections.set(socket, connection)
    this.#idle.add(connection)
    socket.once('close', () => {
      this.#connections.delete(socket)
      this.#idle.delete(connection)
    })
  }

  /** Closes the connection that has been idle the longest, or else the new one. */
  #makeRoom(socket: Socket): void {
    const [handshake] = this.#handshakes.values()
    const [idle] = this.#idle
    const victim = handshake ?? idle?.socket ?? socket
    this.#metrics?.connectionAborted('limit')
    // It is removed from the sets only when closed; until then it must not be chosen again.
    this.#handshakes.delete(peerOf(victim))
    if (victim === idle?.socket) this.#idle.delete(idle)
    this.#sockets.delete(victim)
    victim.destroy()
  }

  request(request: ReceivedRequest, response: ServerResponse, expectsContinue: boolean): void {
    this.#connections.get(request.socket)?.take(request, response, expectsContinue)
  }

  refuse(socket: Socket, failure: Failure): void {
    const connection = this.#connections.get(socket)
    // Without a connection, a TLS handshake failed. A connection without input had no request.
    if (!connection || !socket.writable || socket.bytesRead === 0) socket.destroy()
    else connection.refuse(failure)
  }

  began(): void {
    this.#underWay++
  }

  ended(): void {
    this.#underWay--
    if (this.#underWay === 0 && this.closing) this.#drained.resolve()
  }

  busy(connection: Connection): void {
    this.#idle.delete(connection)
  }

  idle(connection: Connection): void {
    if (this.closing) connection.socket.end()
    this.#idle.add(connection)
  }

  mayWait(): boolean {
    if (this.#waiting >= waitingLimit) return false
    this.#waiting++
    return true
  }

  waitedFor(requests: number): void {
    this.#waiting -= requests
  }

  broke(error: unknown): void {
    this.#log.error({ event: 'answer_failed', err: error }, 'Request could not be answered')
  }

  /** Closes overdue connections. Called periodically. */
  sweep(now = performance.now()): void {
    for (const connection of this.#connections.values()) {
      const reason = connection.overdue(now, this.#closingSince)
      if (!reason || connection.socket.destroyed) continue
      this.#metrics?.connectionAborted(reason)
      connection.socket.destroy()
    }
  }

  /** Makes every further answer the last of its connection. Resolves when no request is in progress. */
  async close(): Promise<void> {
    this.#closingSince = performance.now()
    if (this.#underWay > 0) await this.#drained.promise
  }

  /** Closes connections without a request. */
  closeUnused(): void {
    for (const { socket } of this.#idle) if (socket.bytesRead === 0) socket.destroy()
    for (const socket of this.#handshakes.values()) socket.destroy()
  }

  /** Refuses requests that are still being received. */
  stopReceiving(): void {
    for (const connection of this.#connections.values())
      connection.stopReceiving(new Failure('RequestTimeout', 'The gateway is stopping.'))
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** The same key for a socket and for the TLS connection on it. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
