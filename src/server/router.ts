import type { IncomingMessage, ServerResponse } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ApiRequest, ApiResponse } from '../apis/api.ts'

/** Answers a request. Never rejects. */
export type Handler = (request: ApiRequest) => Promise<ApiResponse>

/** What Node.js made of a request that could be read. */
export interface RawExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Answers a request; without `raw`, one that could not be read as HTTP. Never rejects. */
export type Respond = (request: ApiRequest, raw?: RawExchange) => Promise<ApiResponse>

interface Pending {
  readonly request: ApiRequest
  readonly answered: (answer: ApiResponse) => void
}

/**
 * Routes of Fastify, which finds the handler and does nothing else: bodies are read by whom they concern, and answers written by the
 * connection. What Fastify would refuse in a shape of its own, such as an unknown path, a URL that cannot be decoded or a content type
 * that is none, goes to the handler of all the rest.
 */
export class Router {
  readonly #app: FastifyInstance
  readonly #rest: Handler
  readonly #pending = new WeakMap<IncomingMessage, Pending>()

  /** @param rest answers whatever no route is for */
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
    this.#app.get(path, this.#handledBy(handler))
    return this
  }

  post(path: string, handler: Handler): this {
    this.#app.post(path, this.#handledBy(handler))
    return this
  }

  /** The routes, which are complete now. */
  async ready(): Promise<Respond> {
    await this.#app.ready()
    return (request, raw) => {
      if (!raw || request.failure) return this.#rest(request)
      const { promise, resolve } = Promise.withResolvers<ApiResponse>()
      this.#pending.set(raw.request, { request, answered: resolve })
      this.#app.routing(raw.request, raw.response)
      return promise
    }
  }

  #handledBy(handler: Handler) {
    return ({ raw }: FastifyRequest, reply: FastifyReply): void => {
      reply.hijack()
      const pending = this.#pending.get(raw)
      // Once: an error after the answer changes nothing any more.
      this.#pending.delete(raw)
      if (pending) handler(pending.request).then(pending.answered)
    }
  }
}
