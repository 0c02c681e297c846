/** A thread of a worker: does one call at a time, and sleeps until the next. See threads.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach } from './connection.ts'
import { answerTo } from './handlers.ts'
import { Pkcs11 } from './pkcs11.ts'
import { states, type ThreadData } from './threads.ts'

const { argument, capabilities, slot, desk, shared } = workerData as ThreadData
const { profile, strictCustody, canary } = argument
const control = new Int32Array(desk.control)
const desktop = Buffer.from(desk.payload)
const answers = new Int32Array(shared.answers)
const epochs = new Int32Array(shared.epoch)

const connection = attach(argument, Buffer.from(slot), argument)
const hsm = new Pkcs11(connection, { profile, capabilities, strictCustody, sessions: 2, canary: canary?.material })
let epoch = 0

const nothingToChange = () => Promise.resolve()

async function answerOne(): Promise<void> {
  const now = Atomics.load(epochs, 0)
  if (now !== epoch) hsm.forget()
  epoch = now
  const request = Buffer.from(desktop.subarray(0, control[2]))
  const { kind, payload } = await answerTo(hsm, control[1]!, request, nothingToChange)
  request.fill(0)
  desktop.fill(0, 0, control[2])
  payload.copy(desktop)
  control[1] = kind
  control[2] = payload.length
  payload.fill(0)
  Atomics.store(control, 0, states.answered)
  Atomics.add(answers, 0, 1)
  Atomics.notify(answers, 0)
}

parentPort!.postMessage('ready')
for (;;) {
  Atomics.wait(control, 0, states.idle)
  if (Atomics.load(control, 0) === states.asked) await answerOne()
  else Atomics.wait(control, 0, states.answered)
}
