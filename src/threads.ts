/** Objects in threads of their own, as their library blocks, on the disk for example. */
import { parentPort, type ResourceLimits, SHARE_ENV, Worker } from 'node:worker_threads'
import { type Answer, answerCall, answerOpening, type Call, type Channel, type Closable } from './remote-objects.ts'

/** Starts a thread. @param file of it: see serveInThread */
export function startThread(file: URL, workerData: unknown, resourceLimits: ResourceLimits): Channel {
  // With the environment for the compile cache: without it the thread starts a second later and takes 25 MB more.
  const worker = new Worker(file, { workerData, resourceLimits, env: SHARE_ENV })
  return {
    send: call => worker.postMessage(call),
    receive(answer, ended) {
      let reason: Error | undefined
      worker.on('message', (message: Answer) => answer(message))
      worker.on('error', error => {
        reason ??= error
      })
      // Emitted after all messages; `error` may come before.
      worker.on('exit', () => ended(reason ?? new Error('the thread has ended')))
    },
  }
}

/** In the thread: answers the calls until the object is closed. */
export async function serveInThread<T extends Closable>(opening: Promise<T>): Promise<void> {
  const port = parentPort!
  port.on('message', async (call: Call) => {
    port.postMessage(await answerCall(opening, call))
    if (call.method === 'close') port.close()
  })
  const opened = await answerOpening(opening)
  port.postMessage(opened)
  if (opened.error !== undefined) port.close()
}
