/** The units of systemd, held against systemd itself; it need not run here. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const units = join(import.meta.dirname, '../../deploy/systemd')
const names = readdirSync(units)
const services = names.filter(name => name.endsWith('.service'))
const text = (name: string) => readFileSync(join(units, name), 'utf8')
/** Those of a gateway with SoftHSM, from start to end, as strace(1) counts them. */
const systemCalls =
  `accept4 access arch_prctl bind brk capget chmod clock_nanosleep clone clone3 close connect dup dup2 epoll_create1
  epoll_ctl epoll_pwait eventfd2 execve fcntl fdatasync fstat fsync ftruncate futex getcwd getdents64 getegid geteuid getgid getpeername
  getpid getppid getpriority getrandom getrusage getsockname getsockopt gettid getuid ioctl listen lseek lstat madvise mmap mprotect munmap
  newfstatat openat pipe2 pkey_alloc pkey_mprotect prctl pread64 prlimit64 pwrite64 read readlink rseq rt_sigaction rt_sigprocmask
  rt_sigreturn sched_getaffinity sched_getparam sched_getscheduler set_robust_list set_tid_address setpriority setsockopt shutdown socket
  socketpair stat statx sysinfo umask uname unlink wait4 write`.split(/\s+/)

const isInstalled = spawnSync('systemd-analyze', ['--version']).status === 0

describe.skipIf(!isInstalled)('the systemd units', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-units-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const analyze = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['--no-pager', ...args], { encoding: 'utf8' })
    return { status, stdout, stderr }
  }

  let sets: ReadonlyMap<string, readonly string[]>
  const entriesOf = (block: string) =>
    block
      .split('\n')
      .map(line => line.trim())
      .filter(line => /^[@\w]/.test(line))

  // The command need not be installed here.
  beforeAll(() => {
    for (const name of names)
      writeFileSync(join(folder, name), text(name).replaceAll('/usr/bin/strongroom', process.execPath))
  })

  it('are what systemd understands', () => {
    const files = names.map(name => join(folder, name))
    expect(analyze('verify', '--man=no', ...files)).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  it.each(services)('%s is confined: an exposure level of at most 1.5 of 10', name => {
    expect(analyze('security', '--offline=yes', '--threshold=15', join(folder, name))).toMatchObject({ status: 0 })
  })

  it('allow the system calls of Node.js and of HSM libraries', () => {
    const blocks = analyze('syscall-filter').stdout.split(/\n(?=@)/)
    sets = new Map(blocks.map(block => entriesOf(block)).map(([name, ...entries]) => [name!, entries]))
    const allowed = new Set(callsOf('@system-service').concat(callsOf('@pkey')))
    for (const call of callsOf('@privileged')) allowed.delete(call)
    for (const call of systemCalls) expect(allowed).toContain(call)
  })

  /** Of a set, and of the sets in it. */
  function callsOf(set: string): string[] {
    const entries = sets.get(set)!
    return entries.flatMap(entry => (entry.startsWith('@') ? callsOf(entry) : [entry]))
  }
})

it('passes arguments that the command line knows', () => {
  for (const name of services) {
    const [, command] = /^ExecStart=.*\/usr\/bin\/strongroom (.*?)'?$/m.exec(text(name))!
    const args = ['-c', `exec "$0" src/main.ts ${command!.replaceAll('/etc/strongroom', '/nowhere')}`, process.execPath]
    const { status, stderr } = spawnSync('sh', args, { encoding: 'utf8', cwd: join(units, '../..') })
    // Not 2, which is for wrong arguments: there is no configuration.
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('/nowhere/') })
  }
})

it('confines the backup as the gateway', () => {
  const [gateway, backup] = services.map(name =>
    text(name)
      .split('\n\n')
      .find(part => part.includes('NoNewPrivileges')),
  )
  expect(backup!.trim()).toBe(gateway!.trim())
})
