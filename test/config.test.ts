import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { checkExposure, emulator } from '../src/config/emulator.ts'
import { parseConfig } from '../src/config.ts'
import { OperatorError } from '../src/errors.ts'
import { partitions } from '../src/model/partitions.ts'

const sample = readFileSync(join(import.meta.dirname, '../docs/configuration.yaml'), 'utf8')

/** What has no default. */
const least = {
  storage: { file: 'strongroom.db' },
  audit: { file: 'audit.jsonl' },
  hsms: { softhsm: { profile: 'softhsm2', library: '/lib.so', token: { label: 'strongroom' }, pinFile: 'pin' } },
  regions: { 'us-east-1': 'softhsm' },
}

const { pinFile: _pinFile, ...withoutPin } = least.hsms.softhsm
const clusterId = 'cluster-2345abcdefg'

function mistakeIn(change: object): string {
  return mistakeInText(stringify({ ...least, ...change }))
}

function mistakeInText(text: string): string {
  try {
    parseConfig(text, 'strongroom.yaml')
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError)
    expect((error as Error).message).not.toContain('\n')
    return (error as Error).message.replace('configuration strongroom.yaml: ', '')
  }
  return 'no mistake'
}

describe('a configuration', () => {
  it('may omit everything that has a default', () => {
    expect(mistakeIn({})).toBe('no mistake')
  })

  it.each([
    [[['near', 'far']], 'no mistake'],
    [
      [
        ['near', 'far'],
        ['far', 'near'],
      ],
      'no mistake',
    ],
    [[['near', 'nowhere']], 'multiRegion.transfers: HSM nowhere is not defined under hsms'],
    [[['constructor', 'far']], 'multiRegion.transfers: HSM constructor is not defined under hsms'],
    [
      [['near', 'store']],
      'multiRegion.transfers: from near to store: the HSM store is one of a custom key store, which has no multi-Region keys',
    ],
    [[['near', 'near']], 'multiRegion.transfers: from near to near: a transfer needs two HSMs'],
    [
      [
        ['near', 'far'],
        ['near', 'far'],
      ],
      'multiRegion.transfers: from near to far is there twice',
    ],
    [
      [['near', 'strict']],
      'multiRegion.transfers: from near to strict: the HSM strict has strictCustody, which allows no transfers',
    ],
    [
      [['strict', 'far']],
      'multiRegion.transfers: from strict to far: the HSM strict has strictCustody, which allows no transfers',
    ],
  ])('with transfers %j has %s', (pairs, mistake) => {
    const { softhsm } = least.hsms
    const { pinFile: _, ...stored } = softhsm
    const hsms = {
      near: softhsm,
      far: softhsm,
      strict: { ...softhsm, strictCustody: true },
      store: { ...stored, clusterId: 'cluster-2a34b5cdefg' },
    }
    const transfers = pairs.map(([from, to]) => ({ from, to }))
    expect(mistakeIn({ hsms, regions: { 'us-east-1': 'near' }, multiRegion: { transfers } })).toBe(mistake)
  })

  it('has paths relative to its own folder', () => {
    const config = parseConfig(stringify(least), '/etc/strongroom/strongroom.yaml')
    expect(config.storage.file).toBe('/etc/strongroom/strongroom.db')
    expect(config.audit.file).toBe('/etc/strongroom/audit.jsonl')
    expect(config.hsms.softhsm!.pinFile).toBe('/etc/strongroom/pin')
  })

  it.each([
    ['softhsm2', 'softhsm2'],
    ['./ours.yaml', '/etc/strongroom/ours.yaml'],
    ['../ours.yaml', '/etc/ours.yaml'],
    ['/ours.yaml', '/ours.yaml'],
  ])('takes the profile %s for a name or for a file', (profile, means) => {
    const hsms = { softhsm: { ...least.hsms.softhsm, profile } }
    const config = parseConfig(stringify({ ...least, hsms }), '/etc/strongroom/strongroom.yaml')
    expect(config.hsms.softhsm!.profile).toBe(means)
  })

  it.each([
    [{ lisen: {} }, 'unknown key lisen; did you mean listen?'],
    [{ listen: { prot: 1 } }, 'unknown key prot under listen; did you mean port?'],
    [{ listen: { tls: { certificateFile: 'a', keyFiel: 'b' } } }, /^unknown key|^listen/],
    [{ hsms: { a: { pinfile: 'pin' } } }, /^hsms\.a\./],
    [
      { hsms: { softhsm: { ...least.hsms.softhsm, members: { a: { libary: '/lib.so' } } } } },
      'unknown key libary under hsms.softhsm.members.a; did you mean library?',
    ],
    [
      { zzzzzzzz: 1 },
      'unknown key zzzzzzzz: use one of gateway, processes, listen, xks, metrics, storage, audit, administration, deletion, rotation, authentication, customKeyStores, authorization, emulator, hsms, multiRegion, regions, prices, log',
    ],
    [{ hsms: { softhsm: { ...least.hsms.softhsm, sessions: 3 } } }, /did you mean sessionsPerWorker\?$/],
    [{ hsms: { softhsm: { ...least.hsms.softhsm, queue: 3 } } }, /did you mean maxQueuedCalls\?$/],
    [{ hsms: { softhsm: { ...least.hsms.softhsm, deadline: '2s' } } }, /: use one of profile, .*, callTimeout, /],
    [{ listen: { max: 3 } }, /^unknown key max under listen: use one of host, /],
    [{ listen: { port: 77000 } }, /^listen\.port: too big/],
    [{ listen: { maxBodySize: '2MiB', maxBodyMemory: '1MiB' } }, 'listen: maxBodySize exceeds maxBodyMemory'],
    [{ regions: {} }, 'no regions: add at least one under regions'],
    [{ regions: undefined, hsms: {} }, 'no HSM: add one under hsms'],
    [
      { hsms: { softhsm: { ...least.hsms.softhsm, clusterId } } },
      'hsms.softhsm: an HSM with a clusterId has no pinFile and no pinVariable: its PIN is the password of the custom key store',
    ],
    [
      { hsms: { softhsm: { ...withoutPin, clusterId, members: { a: { pinFile: 'pin' } } } } },
      /^hsms\.softhsm: an HSM with a clusterId has no pinFile/,
    ],
    [
      { hsms: { softhsm: { ...withoutPin, clusterId } } },
      'region us-east-1: HSM softhsm has a clusterId: it is one of a custom key store',
    ],
    [
      { hsms: { ...least.hsms, one: { ...withoutPin, clusterId }, two: { ...withoutPin, clusterId } } },
      'several HSMs have the clusterId cluster-2345abcdefg',
    ],
    [{ hsms: { softhsm: { ...withoutPin, clusterId: 'cluster-1' } } }, /^hsms\.softhsm\.clusterId: not a cluster id: /],
    [{ hsms: { softhsm: withoutPin } }, 'hsms.softhsm: set either pinFile or pinVariable'],
    [
      { regions: undefined, hsms: { one: least.hsms.softhsm, two: least.hsms.softhsm } },
      'several HSMs: add regions, each with its HSM',
    ],
    [{ regions: { useast1: 'softhsm' } }, 'regions.useast1: not a region name, such as eu-west-1'],
    [{ regions: { 'us-east-1': 'b' } }, 'region us-east-1: HSM b is not defined under hsms'],
    [
      { audit: { file: 'audit.jsonl', checkpoints: { hsm: 'b' } } },
      'audit.checkpoints.hsm: HSM b is not defined under hsms',
    ],
    [{ hsms: { 'A B': least.hsms.softhsm } }, /^hsms\.A B: not a valid name/],
    [{ hsms: { softhsm: { ...least.hsms.softhsm, callTimeOut: '2s' } } }, /did you mean callTimeout\?$/],
    [
      { hsms: { softhsm: { ...least.hsms.softhsm, token: { label: 'a', serial: 'b' } } } },
      'hsms.softhsm.token: set either label or serial',
    ],
  ])('with the mistake %j is refused in one line', (change, message) => {
    expect(mistakeIn(change)).toEqual(typeof message === 'string' ? message : expect.stringMatching(message))
  })

  const s3 = { type: 's3', bucket: 'audit', accessKeyId: 'AKIATEST', secretAccessKeyFile: 'secret' }

  it.each([
    [{}, '.type: use file, syslog, webhook or s3 as type'],
    [null, ': use file, syslog, webhook or s3 as type'],
    [{ type: 'kafka' }, '.type: use file, syslog, webhook or s3 as type'],
    [{ type: 'file', file: 'a', flushInterval: '1d' }, '.flushInterval: must be between 100ms and 5m'],
    [{ type: 'syslog', host: 'a', certificateFile: 'b' }, ': set certificateFile and keyFile, or neither'],
    [{ type: 'webhook' }, ': set one of url, urlFile and urlVariable'],
    [{ type: 'webhook', url: 'https://a', urlFile: 'b' }, ': set one of url, urlFile and urlVariable'],
    [{ type: 'webhook', url: 'https://a', headerFiles: { 'a b': 'c' } }, '.headerFiles.a b: not a name of a header'],
    [{ ...s3, bucket: 'A_' }, '.bucket: not a name of a bucket'],
    [{ ...s3, secretAccessKeyVariable: 'A' }, ': set either secretAccessKeyFile or secretAccessKeyVariable'],
  ])('with the audit sink %j is refused in one line', (sink, message) => {
    expect(mistakeIn({ audit: { file: 'audit.jsonl', sinks: { siem: sink } } })).toBe(`audit.sinks.siem${message}`)
  })

  it.each(['http://example.com', 'http://127.0.0.1.example', 'https://user:password@example.com', 'example.com', ''])(
    'may not have an audit sink at "%s"',
    endpoint => {
      expect(mistakeIn({ audit: { file: 'audit.jsonl', sinks: { siem: { ...s3, endpoint } } } })).toBe(
        'audit.sinks.siem.endpoint: use an https:// URL without user and password (http:// for loopback only)',
      )
    },
  )

  it.each(['http://127.0.0.1:9000', 'http://localhost', 'http://[::1]:9000', 'https://example.com'])(
    'may have an audit sink at %s',
    endpoint => {
      expect(mistakeIn({ audit: { file: 'audit.jsonl', sinks: { siem: { ...s3, endpoint } } } })).toBe('no mistake')
    },
  )

  it('names the nearest setting of an audit sink of that type only', () => {
    const mistake = (sink: object) => mistakeIn({ audit: { file: 'audit.jsonl', sinks: { siem: sink } } })
    expect(mistake({ type: 'syslog', host: 'a', prot: 1 })).toMatch(/^unknown key prot .*; did you mean port\?$/)
    expect(mistake({ type: 'file', file: 'a', host: 'b' })).toMatch(/^unknown key host .*: use one of type, .*, file$/)
  })

  it.each(['audit.jsonl', './audit.jsonl', 'x/../audit.jsonl'])('may not copy the journal to itself (%s)', file => {
    const mistake = mistakeIn({ audit: { file: 'audit.jsonl', sinks: { copy: { type: 'file', file } } } })
    expect(mistake).toBe('audit: a sink of type file needs another file than the journal')
  })

  it.each([0, 65, 1.5, 'Auto', '2', null])('refuses %j workers, and says how many there may be', workers => {
    const mistake = mistakeIn({ hsms: { softhsm: { ...least.hsms.softhsm, workers } } })
    expect(mistake).toBe('hsms.softhsm.workers: use auto, or a whole number from 1 to 64')
  })

  it.each([
    ['2s', 2000],
    ['250ms', 250],
    ['1m', 60_000],
  ])('reads the duration %s as %i ms', (callTimeout, milliseconds) => {
    const hsms = { softhsm: { ...least.hsms.softhsm, callTimeout } }
    expect(parseConfig(stringify({ ...least, hsms }), 'strongroom.yaml').hsms.softhsm!.callTimeout).toBe(milliseconds)
  })

  it.each([2000, '2', '2 s', '2sec', '-2s', '1.5s', 's', '0s', '2h', '99999999999s', '', null, true])(
    'refuses the duration %j, and says how one is written',
    callTimeout => {
      const mistake = mistakeIn({ hsms: { softhsm: { ...least.hsms.softhsm, callTimeout } } })
      expect(mistake).toMatch(/^hsms\.softhsm\.callTimeout: (not a duration: .*250ms|must be between 1ms and 1h)$/)
    },
  )

  it.each([
    ['1024B', 1024],
    ['192KiB', 196_608],
    ['1MiB', 1_048_576],
  ])('reads the size %s as %i bytes', (maxBodySize, bytes) => {
    expect(parseConfig(stringify({ ...least, listen: { maxBodySize } }), 'strongroom.yaml').listen.maxBodySize).toBe(
      bytes,
    )
  })

  it.each([196_608, '192', '192KB', '192k', '1B', '1.5MiB'])('refuses the size %j', maxBodySize => {
    expect(mistakeIn({ listen: { maxBodySize } })).toMatch(
      /^listen\.maxBodySize: (not a size: .*192KiB|must be between)/,
    )
  })

  const regions = partitions.flatMap(partition => partition.regions)
  const pseudoRegions = regions.filter(region => region.endsWith('-global'))

  it('may serve every published AWS region, and a future one', () => {
    for (const region of [...regions.filter(region => !pseudoRegions.includes(region)), 'eusc-de-west-12']) {
      expect(mistakeIn({ regions: { [region]: 'softhsm' } })).toBe('no mistake')
    }
  })

  it('serves every commercial region by default, in emulator mode every region', () => {
    const served = (change: object) =>
      Object.entries(parseConfig(stringify({ ...least, regions: undefined, ...change }), 'strongroom.yaml').regions)
    const commercial = partitions[0]!.regions.filter(region => !pseudoRegions.includes(region))
    const all = regions.filter(region => !pseudoRegions.includes(region))
    expect(served({})[0]).toEqual(['us-east-1', 'softhsm'])
    for (const [change, names] of [[{}, commercial] as const, [{ emulator: {} }, all] as const]) {
      expect(new Map(served(change))).toEqual(new Map(names.map(name => [name, 'softhsm'])))
    }
  })

  it.each([...pseudoRegions, 'us-east', 'us-east-1a', 'US-EAST-1', 'us_east_1'])('may not serve %j', region => {
    const name = JSON.stringify(region)
    const text = `${stringify({ ...least, regions: undefined })}regions: { ${name}: softhsm, us-east-1: softhsm }`
    expect(mistakeInText(text)).toBe(`regions.${region}: not a region name, such as eu-west-1`)
  })

  it.each([
    ['', /^invalid input: /],
    ['- list', /^invalid input: /],
    ['listen: {', /^not valid YAML: .* at line \d+, column \d+$/],
  ])('that reads %j is refused in one line', (text, message) => {
    expect(mistakeInText(text)).toMatch(message)
  })
})

describe('the sample', () => {
  it('is a configuration', () => {
    expect(() => parseConfig(sample, 'docs/configuration.yaml')).not.toThrow()
  })

  it('shows each default as it is', () => {
    const written = parse(sample) as typeof least
    const defaults = parseConfig(
      stringify({ ...least, hsms: withoutDefaults(written.hsms) }),
      'docs/configuration.yaml',
    )
    const shown = parseConfig(sample, 'docs/configuration.yaml')
    expect({ ...shown, hsms: {} }).toEqual({ ...defaults, hsms: {} })
    expect({ ...shown.hsms.softhsm, environment: {} }).toEqual(defaults.hsms.softhsm)
  })

  it('has every key, including commented ones', () => {
    const everything = sample
      .replace(/^( *)# (?=( *)[\w.]+: )/gm, '$1')
      .replace('  file: strongroom.db', '  # file: strongroom.db')
      .replace('      serial:', '      # serial:')
      .replace('    pinVariable:', '    # pinVariable:')
      .replace('    clusterId:', '    # clusterId:')
    const config = parseConfig(everything, '/sample/configuration.yaml')
    expect(config.hsms.softhsm!.libraryParameters).toBe("configdir='sql:/etc/nss'")
    expect(config.listen.tls).toEqual({ certificateFile: '/sample/tls.crt', keyFile: '/sample/tls.key' })
    expect(config.storage.postgres).toMatchObject({
      passwordFile: '/sample/db-password',
      tls: { mode: 'verify-full', caFile: '/sample/db-ca.crt' },
      connectTimeout: 5000,
    })
    expect(config.customKeyStores.proxies['xks.example.com']).toMatchObject({
      address: '10.1.2.3:8443',
      caFile: '/sample/proxy-ca.pem',
      keyFile: '/sample/client-key.pem',
    })
    expect(config.metrics.port).toBe(config.listen.port + 1)
  })
})

function withoutDefaults(hsms: (typeof least)['hsms']): (typeof least)['hsms'] {
  const { profile, library, token, pinFile } = hsms.softhsm
  return { softhsm: { profile, library, token, pinFile } }
}

describe('the listener of emulator mode', () => {
  const refused = [
    '0.0.0.0',
    '::',
    '192.0.2.1',
    '127.999.0.1',
    '127.0.0.1.example',
    'localhost.example',
    'kms.example',
    '',
  ]
  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('may be on %s', host => {
    expect(() => checkExposure(emulator.parse({}), host)).not.toThrow()
  })

  it.each(refused)('may not be on "%s", unless that is said twice', host => {
    expect(() => checkExposure(emulator.parse({}), host)).toThrow(/emulator mode lets everybody in/)
    expect(() => checkExposure(emulator.parse({ allowRemoteClients: true }), host)).not.toThrow()
    expect(() => checkExposure(undefined, host)).not.toThrow()
  })
})
