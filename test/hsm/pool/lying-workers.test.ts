import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import type * as ChildModule from '../../../src/hsm/child.ts'
import { Call } from '../../../src/hsm/pool/call.ts'
import { Dispatcher } from '../../../src/hsm/pool/dispatcher.ts'
import { WorkerProcess } from '../../../src/hsm/pool/worker-process.ts'
import { profileOf } from '../../../src/hsm/profiles/find-profile.ts'
import { type CallName, calls } from '../../../src/hsm/wire/calls.ts'
import { encodeFailure, openToken, status } from '../../../src/hsm/wire/messages.ts'
import { workerArgument } from '../../../src/hsm/wire/worker-argument.ts'
import { type Opening, type Script, ScriptedWorker } from './scripted-workers.ts'

/** A worker shares its process with the vendor's library: what it says may be anything. */

let script: Script
let opening: Opening | undefined
let workers: ScriptedWorker[]

vi.mock('../../../src/hsm/child.ts', async importOriginal => ({
  ...(await importOriginal<typeof ChildModule>()),
  startChild: () => {
    const worker = new ScriptedWorker((...request) => script(...request), opening)
    workers.push(worker)
    return worker.child
  },
}))

beforeEach(() => {
  script = () => {}
  opening = undefined
  workers = []
})

const options = {
  name: 'test',
  library: '/none',
  pinFile: '/none',
  tokenLabel: 'none',
  profile: 'generic',
  workers: 2,
  maxQueuedCalls: 100,
  callTimeout: 5000,
  allowSoftwareFallback: true,
  strictCustody: false,
  environment: {},
}

const failed = (returnCode: string) => encodeFailure({ failure: new Failure('Internal'), returnCode })

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function frame(id: number, kind: number, payload: Buffer): Buffer {
  return Buffer.concat([uint32(5 + payload.length), uint32(id), Buffer.of(kind), payload])
}

describe('whatever a worker says', () => {
  const mostCalls = 5
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
    fc.constantFrom('null', '{}', '[]', '{"code":1,"message":2}', '"text"', '{').map(text => Buffer.from(text)),
    fc.constant(failed('CKR_DEVICE_ERROR')),
  )
  const told = fc
    .record({
      id: fc.oneof({ weight: 5, arbitrary: fc.nat(mostCalls + 1) }, { weight: 1, arbitrary: fc.nat(2 ** 32 - 1) }),
      kind: fc.oneof({ weight: 5, arbitrary: fc.nat(10) }, { weight: 1, arbitrary: fc.nat(255) }),
      payload,
    })
    .map(({ id, kind, payload }) => frame(id, kind, payload))
  const broken = fc.oneof(
    fc.constantFrom(0, 4, 2 ** 24 + 1, 2 ** 32 - 1).map(uint32),
    fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes)),
  )
  const said = fc.array(fc.oneof({ weight: 6, arbitrary: told }, { weight: 1, arbitrary: broken }), { maxLength: 8 })
  const names = fc.array(fc.constantFrom(...(Object.keys(calls) as CallName[])), {
    minLength: 1,
    maxLength: mostCalls,
  })

  it('each call is settled, comes back or is left behind, once', async () => {
    await fc.assert(
      fc.asyncProperty(names, said, fc.integer({ min: 1, max: 50 }), async (names, said, chunk) => {
        const ends = new Map<Call, number>()
        const over = (call: Call) => void ends.set(call, (ends.get(call) ?? 0) + 1)
        let lost = 0
        const argument = workerArgument(options, profileOf(options.profile))
        const worker = new WorkerProcess(
          argument,
          {},
          {
            lost(_worker, _from, unfinished) {
              lost++
              unfinished.forEach(over)
            },
            returned: (_worker, call) => over(call),
            settled() {},
            wrote() {},
          },
        )
        worker.advance('start')
        worker.open(5000)
        await worker.ready
        worker.advance('admit')
        const sent = names.map(name => {
          const request = { name, payload: Buffer.alloc(3), caller: '', timeout: 5000 }
          return new Call(request, { answered: over, failed: over })
        })
        for (const call of sent) worker.send(call)
        const bytes = Buffer.concat(said)
        for (let at = 0; at < bytes.length; at += chunk) workers.at(-1)!.say(bytes.subarray(at, at + chunk))
        await new Promise(setImmediate)
        workers.at(-1)!.die('exit code 1')
        await worker.ended
        expect(sent.map(call => ends.get(call))).toEqual(sent.map(() => 1))
        expect([worker.pending, lost, worker.state]).toEqual([0, 1, 'lost'])
      }),
      { numRuns: 500 },
    )
  })

  it('a failure that is none costs the worker, and its calls are done by another', async () => {
    for (const nonsense of ['', 'null', '{', '[]']) {
      let lies = 1
      script = (worker, { id }) => {
        if (lies-- > 0) worker.answer(id, status.failed, Buffer.from(nonsense))
        else worker.answer(id, status.ok, Buffer.from('done'))
      }
      const dispatcher = new Dispatcher(options)
      await dispatcher.start()
      expect(String(await dispatcher.call('random', calls.random.request.encode(4), 'caller'))).toBe('done')
      expect(dispatcher.pending).toBe(0)
      await dispatcher.close()
    }
  })
})

describe('a worker that starts', () => {
  const nonsense = ['', 'null', '7', '"text"', '[]', '{}', '{"lacks":null}', '{"lacks":{},"gcm":{"iv":"toString"}}']
  const failures = ['{"message":"text"}', '{"message":1,"reason":"untrusted"}', '{"message":"text","reason":"other"}']

  it.each([
    ...[...nonsense, '{"lacks":{},"gcm":null}'].map(text => [status.ok, text] as const),
    ...[...nonsense, ...failures].map(text => [status.failed, text] as const),
  ])('and says %i %s is not used', async (kind, text) => {
    opening = [kind, Buffer.from(text)]
    const dispatcher = new Dispatcher(options)
    await expect(dispatcher.start()).rejects.toThrow(
      expect.objectContaining({
        name: 'OperatorError',
        message: expect.stringMatching(/^HSM test: .*broke the protocol/),
      }),
    )
    await dispatcher.close()
  })
})

describe('a worker that has lost its login', () => {
  const outcomes: Readonly<Record<string, (worker: ScriptedWorker, id: number) => void>> = {
    dies: worker => worker.die('SIGSEGV'),
    'ends as it can do nothing more': (worker, id) => worker.answer(id, status.ending, failed('CKR_DEVICE_ERROR')),
    'says that the HSM has too much to do': (worker, id) => worker.answer(id, status.busy, failed('CKR_DEVICE_ERROR')),
    'says that it is not logged in': (worker, id) => worker.answer(id, status.loginLost, failed('none')),
    'says that a key is missing': (worker, id) => worker.answer(id, status.missing, failed('none')),
    'says that it failed': (worker, id) => worker.answer(id, status.failed, failed('CKR_GENERAL_ERROR')),
  }

  it.each(Object.entries(outcomes))(
    'and %s when it logs in again is replaced: no other tries for it',
    async (_, end) => {
      script = (worker, { id, kind }) => {
        if (kind === calls.logIn.kind) end(worker, id)
        else if (worker === workers[0] && kind !== openToken) worker.answer(id, status.loginLost, failed('none'))
        else worker.answer(id, status.ok, Buffer.from('done'))
      }
      const dispatcher = new Dispatcher(options)
      await dispatcher.start()
      const asked = () => dispatcher.call('random', calls.random.request.encode(4), 'caller')
      expect((await Promise.all([asked(), asked(), asked()])).map(String)).toEqual(['done', 'done', 'done'])
      await expect.poll(() => dispatcher.health).toMatchObject({ state: 'ready', workers: 2, starts: 3 })
      const logins = workers.map(({ received }) => received.filter(({ kind }) => kind === calls.logIn.kind).length)
      expect(logins).toEqual([1, 0, 0])
      await dispatcher.close()
    },
  )

  it('and says without a reason that the PIN is refused stops the HSM, not the gateway', async () => {
    script = (worker, { id, kind }) => {
      const outcome = kind === calls.logIn.kind ? status.pinRefused : status.loginLost
      worker.answer(id, outcome, failed('CKR_PIN_INCORRECT'))
    }
    const dispatcher = new Dispatcher(options)
    await dispatcher.start()
    const call = dispatcher.call('random', calls.random.request.encode(4), 'caller')
    await expect(call).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(dispatcher.health.state).toBe('pinRefused')
    await dispatcher.close()
  })
})
