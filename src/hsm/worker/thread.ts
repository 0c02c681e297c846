/** A thread of a worker: does one call at a time, and sleeps until there is one. See threads.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach } from '../token/connection.ts'
import { Pkcs11 } from '../token/pkcs11.ts'
import { Desks } from './desks.ts'
import { answerTo } from './handlers.ts'
import type { ThreadData } from './threads.ts'

const { argument, capabilities, slot, desks: shared } = workerData as ThreadData
const { profile, canary } = argument

const connection = attach(argument, Buffer.from(slot), argument)
const hsm = new Pkcs11(connection, { profile, capabilities, sessions: 2, canary: canary?.material })
const desks = new Desks(shared)
let epoch = 0

parentPort!.postMessage('ready')
for (;;) {
  const { desk, kind, payload } = desks.next()
  const now = desks.epoch
  if (now !== epoch) hsm.forget()
  epoch = now
  const answer = await answerTo(hsm, kind, payload)
  payload.fill(0)
  desks.answer(desk, answer)
  answer.payload.fill(0)
}
