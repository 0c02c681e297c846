/**
 * What README and docs say is true: their commands run, in the order of the page, as a user would paste them; their examples work;
 * their tables are those of the code.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { operationNames } from '../src/apis/kms/model.ts'
import { parseConfig } from '../src/config.ts'
import { profiles } from '../src/hsm/profiles/catalogue.ts'
import { createMetrics } from '../src/metrics.ts'
import { encodeEncryptionContext } from '../src/model/keys/encryption-context.ts'
import { operations } from '../src/operations/kms/catalogue.ts'
import { alone } from '../src/storage/fleet/alone.ts'
import { ProcessMetrics } from '../src/supervisor/metrics.ts'
import { type AwsCli, startAwsCli } from './aws-cli.ts'
import { installFaults } from './end-to-end/fault-injection.ts'
import { type Gateway, type Installation, install, serve } from './end-to-end/gateway.ts'

const root = join(import.meta.dirname, '..')
const markdown = (folder: string) =>
  readdirSync(join(root, folder))
    .filter(name => name.endsWith('.md'))
    .map(name => join(folder, name))
const pages = [...markdown('.'), ...markdown('docs'), 'test/fault-hsm/README.md'].map(path => {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, text, blocks: blocksOf(text) }
})
const page = (path: string) => pages.find(page => page.path === path)!

interface Block {
  readonly language: string
  /** What stands behind the language: `stopped` for commands to be run while no gateway runs. */
  readonly info: string
  readonly code: string
}

function blocksOf(text: string): Block[] {
  const fences = text.matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm)
  return [...fences].map(([, language, info, code]) => ({ language: language!, info: info!, code: code! }))
}

/** Commands that are not run here, and what tries them instead. */
const elsewhere: Readonly<Record<string, RegExp>> = {
  'test/scripts.test.ts': /^\.\/scripts\/start( --emulator)?$/,
  'this run of the tests': /^\.\/scripts\/test$/,
  'test/dockerfile.test.ts': /^docker (build|run) /,
  'test/xks-conformance.test.ts': /^npm run xks-conformance -- /,
}

function isElsewhere({ code }: Block): boolean {
  const lines = code.trim().replaceAll('\\\n', ' ').split('\n')
  return lines.every(line => Object.values(elsewhere).some(command => command.test(line)))
}

/** Programs of the commands that this machine does not have. */
const absent = ['aws', 'curl', 'openssl', 'npx'].filter(
  name => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
)

/** test/end-to-end/scenarios.test.ts runs those of docs/scenarios.md, which need users and roles. */
const pagesWithCommands = pages
  .filter(({ path }) => !['test/fault-hsm/README.md', 'docs/scenarios.md'].includes(path))
  .map(({ path, blocks }) => ({
    path,
    commands: blocks.filter(block => ['sh', 'js'].includes(block.language) && !isElsewhere(block)),
  }))
  .filter(({ commands }) => commands.length > 0)

const regionsOfSoftHsm = { 'us-east-1': 'softhsm', 'eu-west-1': 'softhsm' }

let awsCli: AwsCli
beforeAll(async () => {
  awsCli = await startAwsCli()
})
afterAll(() => awsCli.stop())

describe.each(pagesWithCommands)('$path', ({ path, commands }) => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-docs-'))
  let installation: Installation
  let gateway: Gateway | undefined

  beforeAll(async () => {
    installation = await install({ accounts: ['000000000000'] })
    // doctor would spend seconds on each page to generate them.
    if (commands.some(({ code }) => code.includes('doctor')))
      installFaults(installation).set('remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN')
    if (path === 'docs/emulators.md')
      installation.configure(config => void Object.assign(config, { emulator: { spareRsaKeys: 0 } }))
    if (path === 'docs/multi-region.md')
      installation.configure(config => void Object.assign(config, { regions: regionsOfSoftHsm }))
    if (path === 'docs/services.md')
      installation.configure(config => void Object.assign(config, { authentication: { services: true } }))
    if (path === 'docs/xks.md') {
      const proxies = { 'xks.example.com': { address: `localhost:${ownPort}`, caFile: 'xks.crt' } }
      installation.configure(config => void Object.assign(config, { customKeyStores: { proxies } }))
    }
    symlinkSync(installation.folder, join(folder, 'data'))
    for (const name of ['src', 'docs', 'scripts', 'node_modules', 'package.json', 'package-lock.json'])
      symlinkSync(join(root, name), join(folder, name))
  })

  afterAll(async () => {
    await gateway?.stop()
    installation.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('has commands that work', { timeout: 120_000 }, async ctx => {
    const missing = absent.filter(name => commands.some(({ code }) => new RegExp(`\\b${name} `).test(code)))
    ctx.skip(missing.length > 0, `not installed: ${missing.join(', ')}`)
    for (const block of commands) {
      if (block.info === 'stopped') {
        await gateway?.stop()
        gateway = undefined
      } else {
        gateway ??= await serve(installation)
      }
      const { status, output } = run(block, folder, gateway)
      expect(status, `${block.code}\n${output}`).toBe(0)
    }
  })
})

/** For a gateway that the commands of a page start: it and the one after it are hardly in use. */
const ownPort = 20_000 + 2 * Math.floor(Math.random() * 5000)

/** In a shell with the state of the previous block's shell. */
function run(
  { language, code }: Block,
  folder: string,
  gateway: Gateway | undefined,
): { status: number | null; output: string } {
  const own = code
    .replaceAll('http://127.0.0.1:7700', gateway?.url ?? 'no gateway')
    .replaceAll('http://127.0.0.1:7701', gateway?.metricsUrl ?? 'no gateway')
    .replaceAll('7800', String(ownPort))
  const command = language === 'js' ? `node --input-type=module <<'END'\n${own}\nEND` : own
  // As the AWS CLI of Debian 12, which does not know AWS_ENDPOINT_URL_KMS and would call AWS.
  const old = `export AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=${language === 'sh'}`
  const script = `set -eu -o pipefail\n[ ! -e .env ] || . ./.env\n${old}\n${command}\n{ export -p; declare -f; } > .env`
  const environment = {
    PATH: `${awsCli.folder}:${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: folder,
    AWS_PAGER: '',
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
  }
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: folder, env: environment })
  return { status, output: `${stdout}${stderr}` }
}

describe.each(pages)('$path', ({ path, text, blocks }) => {
  it('has no broken links', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map(([, link]) => link!)
    for (const link of links) {
      const [file, anchor] = link.split('#')
      const target = file === '' ? path : join(dirname(path), file!)
      expect(existsSync(join(root, target)), link).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(readFileSync(join(root, target), 'utf8'))).toContain(anchor)
    }
  })

  // Architecture names files of other projects, too; its own are held by its test.
  it.skipIf(path === 'docs/architecture.md')('names source files that are there', () => {
    const named = text.match(/\b(?:src|test|scripts)\/[\w./-]+\.(?:ts|mjs|md)\b/g) ?? []
    expect(named.filter(file => !existsSync(join(root, file)))).toEqual([])
  })

  it('shows configuration that is valid', () => {
    const sample = parse(readFileSync(join(root, 'docs/configuration.yaml'), 'utf8')) as object
    for (const { code } of blocks.filter(({ language }) => language === 'yaml')) {
      const whole = { ...sample, ...(parse(code) as object) }
      expect(() => parseConfig(stringify(whole), path)).not.toThrow()
    }
  })
})

/** As GitHub derives them from headings. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase())
  return headings.map(heading => heading.replace(/[^\w\- ]/g, '').replaceAll(' ', '-'))
}

/** First cells of the table rows of a page. */
function firstCells(path: string): string[] {
  return [...page(path).text.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell]) => cell!)
}

describe('README.md', () => {
  it('counts the operations', () => {
    expect(page('README.md').text).toContain(`${operations.length} of the ${operationNames.length} operations`)
  })
})

describe('docs/api.md', () => {
  const { text } = page('docs/api.md')

  it('lists the operations that are supported', () => {
    const listed = firstCells('docs/api.md').flatMap(cell => cell.split(', '))
    const names = listed.filter(name => operationNames.some(operation => operation === name))
    expect(names.sort()).toEqual(operations.map(({ name }) => name as string).sort())
  })

  it('lists the operations that are not supported', () => {
    const [, list] = /`UnsupportedOperationException`: ([\s\S]*?)\./.exec(text)!
    const supported = new Set<string>(operations.map(({ name }) => name))
    expect(list!.split(/,\s+/)).toEqual(operationNames.filter(name => !supported.has(name)))
  })
})

const allMetrics = async () => {
  const metrics = createMetrics(() => [])
  metrics.watchFleet({ ...alone, gateway: 'gw', applied: 0 }, { fence: undefined })
  return (await metrics.text()) + (await new ProcessMetrics(() => []).text())
}

describe('docs/operations.md', () => {
  it('lists the metrics', async () => {
    const exposed = await allMetrics()
    const names = [...exposed.matchAll(/^# TYPE (strongroom_\w+)/gm)].map(([, name]) => `\`${name}\``)
    const listed = firstCells('docs/operations.md').filter(cell => cell.startsWith('`strongroom_'))
    expect(listed.sort()).toEqual(names.sort())
  })

  it('alerts on existing metrics', async () => {
    const exposed = await allMetrics()
    const { groups } = parse(readFileSync(join(root, 'docs/alerts.yaml'), 'utf8')) as {
      groups: { rules: { expr: string }[] }[]
    }
    const expressions = groups.flatMap(({ rules }) => rules.map(({ expr }) => expr))
    for (const [name] of expressions.join('\n').matchAll(/strongroom_\w+/g))
      expect(exposed).toContain(`# TYPE ${name.replace(/_bucket$/, '')} `)
  })

  it('lists the events of the log', () => {
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(name =>
      name.endsWith('.ts'),
    )
    const code = sources.map(name => readFileSync(join(root, 'src', name), 'utf8')).join()
    const events = new Set([...code.matchAll(/(?:\bevent: |#fields\()'(\w+)'/g)].map(([, event]) => event))
    const [, table] = /\| Event \|.*\n((?:\|.*\n)+)/.exec(page('docs/operations.md').text)!
    const listed = table!.split('\n').flatMap(row => [...(row.split('|')[1]?.matchAll(/`(\w+)`/g) ?? [])])
    expect(listed.map(([, event]) => event).sort()).toEqual([...events].sort())
  })
})

describe('docs/algorithms.md', () => {
  it('is what the tables of the code say', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/algorithms.ts', '--check'], { cwd: root })
    expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' })
  })
})

describe('docs/hsm.md', () => {
  it('has a section for each profile', () => {
    const named = [...page('docs/hsm.md').text.matchAll(/^#### .*`(\w+)`$/gm)].map(([, name]) => name)
    expect(named.sort()).toEqual(profiles.map(({ name }) => name as string).sort())
  })

  it('links to every sample of a native configuration', () => {
    for (const name of readdirSync(join(root, 'native-config'))) {
      expect(page('docs/hsm.md').text).toContain(`(../native-config/${name})`)
    }
  })
})

describe('docs/ciphertext.md', () => {
  it('gives an encryption context in its canonical form', () => {
    const [, context, form] = /Example: `(.*?)` is `(.*?)`/.exec(page('docs/ciphertext.md').text)!
    const encoded = encodeEncryptionContext(JSON.parse(context!) as Record<string, string>)
    expect(Buffer.from(encoded).toString('hex')).toBe(form!.replaceAll(' ', ''))
  })
})

describe('docs/architecture.md', () => {
  const tree = blocksOf(page('docs/architecture.md').text)[0]!.code

  it('names only existing files and folders', () => {
    const paths = ['src', 'scripts', 'test', 'native-config', 'deploy'].flatMap(name => [
      `${name}/`,
      ...readdirSync(join(root, name), { recursive: true, withFileTypes: true }).map(entry =>
        entry.isDirectory() ? `${entry.name}/` : entry.name,
      ),
    ])
    for (const [name] of tree.matchAll(/[\w-]+(?:\/|(?:\.\w+)*\.(?:ts|json|conf|sh)\b)/g)) expect(paths).toContain(name)
  })

  it('names every part of src', () => {
    const parts = [...tree.matchAll(/^ {2}([\w-]+)(?:\/|\.ts) /gm)].map(([, name]) => name)
    // A file and a folder of the same name are one part.
    const there = new Set(readdirSync(join(root, 'src')).map(name => name.replace(/\.ts$/, '')))
    expect(parts.sort()).toEqual([...there].sort())
  })
})
