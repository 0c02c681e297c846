/** A thread for desks.test.ts: answers each call with its payload reversed, under a kind one higher. */
import { workerData } from 'node:worker_threads'
import { Desks, type SharedDesks } from '../../../src/hsm/worker/desks.ts'

const desks = new Desks(workerData as SharedDesks)
for (;;) {
  const { desk, kind, payload } = desks.next()
  desks.answer(desk, { kind: kind + 1, payload: payload.reverse() })
}
