import { readFileSync } from 'node:fs'
import { encryptScript } from './encrypt.ts'
import type { Figure } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load } from './load.ts'

const warmUp = 1_000_000
const encrypts = 2_000_000
const megabyte = 1_000_000

/**
 * Memory of the gateway process over a million Encrypts and a million more: its largest size, and its growth after warm-up. Until the
 * first full garbage collection, which comes after about a million, the heap grows with what outlived its nursery.
 */
export async function memoryAfterAMillion(): Promise<Figure[]> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const sizes: number[] = []
  const warm: number[] = []
  for (let done = 0; done < encrypts; ) {
    const isWarm = done >= warmUp
    // Signed each time, as signatures are valid for five minutes.
    done += (await load(gateway.url, await encryptScript(folder, gateway), 10)).requests
    const size = residentSize(gateway.pid)
    sizes.push(size)
    if (isWarm) warm.push(size)
  }
  await gateway.stop()
  folder.remove()
  const largest = Math.max(...sizes)
  const half = Math.ceil(warm.length / 2)
  const mean = (list: readonly number[]) => list.reduce((sum, size) => sum + size, 0) / list.length
  return [
    {
      name: 'memory of the gateway over 2,000,000 Encrypts',
      value: largest / megabyte,
      unit: 'MB',
      reach: { atMost: 400 },
    },
    {
      name: 'the same, second half after the first million / first half',
      value: mean(warm.slice(half)) / mean(warm.slice(0, half)),
      unit: '',
      reach: { atMost: 1.1 },
      details: sizes.map(size => Math.round(size / megabyte)).join(' '),
    },
  ]
}

/** Bytes. */
function residentSize(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  return Number(kibibytes) * 1024
}
