import type { ServerResponse } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ApiRequest, ApiResponse } from '../apis/api.ts'
import type { ReceivedRequest } from './received-request.ts'

/** Answers a request. Never rejects. */
export type Handler = (request: ApiRequest) => Promise<ApiResponse>

/** Node.js's objects of a request. */
export interface RawExchange {
  readonly request: ReceivedRequest
  readonly response: ServerResponse
}

/** Answers a request; without `raw`, one that could not be read as HTTP. Never rejects. */
export type Respond = (request: ApiRequest, raw?: RawExchange) => Promise<ApiResponse>

/** State of a request, attached to the object that Fastify passes to a handler. */
class Pending {
  readonly request: ApiRequest
  answer: Promise<ApiResponse> | undefined
  /** Set while waiting for a handler that Fastify calls later. */
  answered: ((answer: Promise<ApiResponse>) => void) | undefined

  constructor(request: ApiRequest) {
    this.request = request
  }
}

/** A property, as a map costs more than everything else here. */
const pending = Symbol('pending')
type Routed = ReceivedRequest & { [pending]?: Pending }

/**
 * Routes of Fastify, which only finds the handler: bodies are read on demand, and answers written by the connection. What Fastify would
 * refuse in its own format, such as an unknown path, an undecodable URL or an invalid content type, goes to the fallback handler.
 */
export class Router {
  readonly #app: FastifyInstance
  readonly #rest: Handler
  /** What Fastify would find for a route's own path, by method and path: no need to ask it for each request. */
  readonly #found = { GET: new Map<string, Handler>(), POST: new Map<string, Handler>() }

  /** @param rest the fallback handler */
  constructor(rest: Handler) {
    this.#rest = rest
    const handler = this.#handledBy(rest)
    this.#app = fastify({
      return503OnClosing: false,
      frameworkErrors: (_error, request, reply) => handler(request as FastifyRequest, reply as FastifyReply),
    })
    this.#app.removeAllContentTypeParsers()
    this.#app.addContentTypeParser('*', (_request, _body, done) => done(null))
    this.#app.setErrorHandler((_error, request, reply) => handler(request, reply))
    this.#app.setNotFoundHandler(handler)
  }

  get(path: string, handler: Handler): this {
    return this.#route('GET', path, handler)
  }

  post(path: string, handler: Handler): this {
    return this.#route('POST', path, handler)
  }

  /** @param path may have parameters */
  delete(path: string, handler: Handler): this {
    return this.#route('DELETE', path, handler)
  }

  /** A hook that runs before Fastify would handle the body, which costs an async resource per request. */
  #route(method: 'GET' | 'POST' | 'DELETE', url: string, handler: Handler): this {
    if (method !== 'DELETE') this.#found[method].set(url, handler)
    const answer = this.#handledBy(handler)
    this.#app.route({ method, url, onRequest: answer, handler: answer })
    return this
  }

  /** Completes the routes. */
  async ready(): Promise<Respond> {
    await this.#app.ready()
    return (request, raw) => {
      if (!raw || request.failure) return this.#rest(request)
      const { method, url } = request
      const found = method === 'POST' || method === 'GET' ? this.#found[method].get(url) : undefined
      if (found) return found(request)
      const waiting = new Pending(request)
      const routed: Routed = raw.request
      routed[pending] = waiting
      this.#app.routing(routed, raw.response)
      return waiting.answer ?? new Promise(resolve => (waiting.answered = resolve))
    }
  }

  #handledBy(handler: Handler) {
    return ({ raw }: FastifyRequest, reply: FastifyReply): void => {
      reply.hijack()
      const waiting = (raw as Routed)[pending]
      // Once: an error after the answer has no effect.
      if (!waiting || waiting.answer) return
      waiting.answer = handler(waiting.request)
      waiting.answered?.(waiting.answer)
    }
  }
}
