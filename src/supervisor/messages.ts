/** What the supervisor and a gateway process send each other: calls of the gateway one way, of the database the other. */
import type { Config } from '../config.ts'
import type { Answer, Call } from '../remote-objects.ts'

export type ToProcess =
  | { readonly gateway: Call }
  | { readonly database: Answer }
  /** Another process has changed the database: see SqlDatabase.watch. */
  | { readonly changed: true }

export type ToSupervisor = { readonly gateway: Answer } | { readonly database: Call }

export interface Start {
  /** Of this process. */
  readonly config: Config
  /** Whether the supervisor has the database. */
  readonly hasDatabase: boolean
  /** File mode creation mask: the supervisor has another, for the socket that it creates. */
  readonly umask: number
}

export interface Urls {
  /** Of the AWS KMS API. */
  readonly url: string
  /** Of the XKS proxy, if it is served. */
  readonly xksUrl?: string
}

/** A gateway in a process of its own. */
export interface SupervisedGateway {
  /** Once. Rejects with OperatorError if it cannot start. */
  start(start: Start): Promise<Urls>
  /** Prometheus text exposition format. */
  metrics(): Promise<string>
  /** Finishes requests in flight. @param why for its audit record. @param isReplaced see Gateway */
  close(why?: string, isReplaced?: boolean): Promise<void>
}

/** Name of the error of a start that must not be repeated. */
export const pinRefused = 'PinRefused'
