/** A disk with a real file system, in a file, that can be frozen and can fail: where this user may mount one. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: 'pipe', encoding: 'utf8' })

export class Ext4Disk {
  /** Where it is mounted. */
  readonly folder: string
  readonly #parent: string
  #isFrozen = false

  constructor() {
    this.#parent = mkdtempSync(join(tmpdir(), 'ext4-disk-'))
    this.folder = join(this.#parent, 'mounted')
    mkdirSync(this.folder)
    const image = join(this.#parent, 'image')
    execFileSync('truncate', ['-s', '8M', image])
    run('mkfs.ext4', '-q', image)
    this.#mount(image)
  }

  #mount(image: string): void {
    run('mount', '-o', 'loop,errors=remount-ro', image, this.folder)
  }

  /** Whatever writes waits from now on, and cannot be killed. */
  freeze(): void {
    run('fsfreeze', '-f', this.folder)
    this.#isFrozen = true
  }

  thaw(): void {
    if (this.#isFrozen) run('fsfreeze', '-u', this.folder)
    this.#isFrozen = false
  }

  /** The kernel finds an error, and makes the file system read-only. */
  fail(): void {
    const device = basename(run('findmnt', '-no', 'SOURCE', this.folder).trim())
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1')
  }

  /** What was on the failed disk, on a new one in its place. */
  replace(): void {
    const [image, copy] = [join(this.#parent, 'image'), join(this.#parent, 'copy')]
    run('umount', '--lazy', this.folder)
    copyFileSync(image, copy)
    // It says by its status that there were errors.
    execFileSync('sh', ['-c', 'e2fsck -fy "$0" > "$0.log" 2>&1 || true', copy])
    this.#mount(copy)
  }

  [Symbol.dispose](): void {
    this.thaw()
    run('umount', '--lazy', this.folder)
    rmSync(this.#parent, { recursive: true })
  }
}

export const canUseExt4 = (() => {
  try {
    using disk = new Ext4Disk()
    disk.freeze()
    disk.thaw()
    disk.fail()
    return true
  } catch {
    return false
  }
})()
