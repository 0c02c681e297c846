import { readFileSync } from 'node:fs'
import { encryptScript } from './encrypt.ts'
import type { Figure } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load } from './load.ts'

const encrypts = 1_000_000
const mebibyte = 1024 * 1024

/** Memory of the gateway process over a million Encrypts: its size at the end, and its growth after warm-up. */
export async function memoryAfterAMillion(): Promise<Figure[]> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const sizes: number[] = []
  for (let done = 0; done < encrypts; ) {
    // Signed anew each time: signatures are good for five minutes.
    done += (await load(gateway.url, await encryptScript(folder, gateway), 10)).requests
    sizes.push(residentSize(gateway.pid))
  }
  await gateway.stop()
  folder.remove()
  const largest = Math.max(...sizes)
  const warm = sizes.slice(Math.floor(sizes.length / 3))
  const half = Math.ceil(warm.length / 2)
  const mean = (list: readonly number[]) => list.reduce((sum, size) => sum + size, 0) / list.length
  return [
    {
      name: 'memory of the gateway over 1,000,000 Encrypts',
      value: largest / mebibyte,
      unit: 'MiB',
      reach: { atMost: 250 },
    },
    {
      name: 'the same, second half after warm-up / first half',
      value: mean(warm.slice(half)) / mean(warm.slice(0, half)),
      unit: '',
      reach: { atMost: 1.1 },
      details: sizes.map(size => Math.round(size / mebibyte)).join(' '),
    },
  ]
}

/** Bytes. */
function residentSize(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  return Number(kibibytes) * 1024
}
