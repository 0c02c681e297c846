/** A disk that fills up for real: a tmpfs, where this user may mount one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Runs `work` in a directory that holds no more than `size`, for example `256k`. */
export async function onSmallDisk(size: string, work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'pipe' })
    try {
      await work(directory)
    } finally {
      execFileSync('umount', ['--lazy', directory])
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export const canMount = await onSmallDisk('64k', async () => {}).then(
  () => true,
  () => false,
)
