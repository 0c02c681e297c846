import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { ownSilence, processorTime } from '../../../src/hsm/pool/starvation.ts'

let child: ChildProcess

function run(script: string): number {
  child = spawn('/bin/sh', ['-c', script], { stdio: 'ignore' })
  return child.pid!
}

afterEach(() => void child?.kill('SIGKILL'))

describe('the silent time of a process', () => {
  it('counts while it sleeps', async () => {
    const pid = run('exec sleep 60')
    await delay(200)
    const before = processorTime(pid)
    await delay(200)
    expect(ownSilence(pid, 200, before)).toBeGreaterThan(150)
  })

  it('counts while it is stopped', async () => {
    const pid = run('while :; do :; done')
    await delay(100)
    process.kill(pid, 'SIGSTOP')
    await delay(50)
    expect(ownSilence(pid, 200, processorTime(pid))).toBeGreaterThan(150)
  })

  it('counts while it runs, not while it waits for a CPU', async () => {
    const pid = run('while :; do :; done')
    await delay(50)
    const before = processorTime(pid)!
    await delay(300)
    // A second in which it could not have run: it is ready to.
    const own = ownSilence(pid, 1000, before)
    expect(own).toBeGreaterThan(0)
    expect(own).toBeLessThan(900)
  })

  it('counts if the system does not report it', () => {
    expect(processorTime(2 ** 30)).toBeUndefined()
    expect(ownSilence(2 ** 30, 200, undefined)).toBe(200)
  })
})
