import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { settingChanges, settingsOf } from '../../src/config/settings.ts'
import { parseConfig } from '../../src/config.ts'

const settings = (text: string) => settingsOf(parseConfig(text, '/data/strongroom.yaml'))
const basic = `
storage: { file: strongroom.db }
audit: { file: audit.jsonl }
regions: { us-east-1: softhsm }
hsms:
  softhsm:
    profile: softhsm2
    library: /usr/lib/softhsm/libsofthsm2.so
    libraryParameters: password=not-a-secret-1
    token: { label: strongroom }
    pinFile: pin
    environment: { SOFTHSM2_CONF: ./softhsm2.conf, VENDOR_PASSWORD: not-a-secret-2, PIN_FILE: not-a-secret-3 }
`

describe('the settings of a configuration', () => {
  it('have a name and a text each, defaults included', () => {
    expect(settings(basic)).toMatchObject({
      'listen.port': '7700',
      'log.level': 'info',
      'storage.file': '/data/strongroom.db',
      'regions.us-east-1': 'softhsm',
      'hsms.softhsm.workers': 'auto',
      'hsms.softhsm.token.label': 'strongroom',
      'hsms.softhsm.pinFile': '/data/pin',
    })
  })

  it('have no value where that may be a secret', () => {
    const emulated = `${basic}emulator: { accessKeys: { host: not-a-secret-4, file: not-a-secret-5 } }\n`
    const found = settings(emulated)
    expect(JSON.stringify(found)).not.toContain('not-a-secret')
    expect(found['hsms.softhsm.environment.VENDOR_PASSWORD']).toBe('(not recorded)')
    expect(found['emulator.accessKeys.host']).toBe('(not recorded)')
  })

  it('have a value where docs/configuration.yaml has one that is no secret', () => {
    const text = readFileSync(join(import.meta.dirname, '../../docs/configuration.yaml'), 'utf8')
    const hidden = Object.entries(settings(text)).filter(([, value]) => value === '(not recorded)')
    expect(hidden.map(([name]) => name)).toEqual(['hsms.softhsm.environment.SOFTHSM2_CONF'])
  })

  it('show where audit records go, but of a URL only its origin', () => {
    const sinks = `
  sinks:
    hook: { type: webhook, url: "https://hooks.example.com/not-a-secret?token=not-a-secret", headerFiles: { Authorization: token } }
    siem: { type: syslog, host: siem.example.com, facility: local3 }
    archive: { type: s3, bucket: audit-archive, region: us-east-1, endpoint: "https://s3.example.com/not-a-secret",
      accessKeyId: AKIAIOSFODNN7EXAMPLE, secretAccessKeyFile: archive-secret }`
    const found = settings(basic.replace('audit: { file: audit.jsonl }', `audit:\n  file: audit.jsonl${sinks}`))
    expect(JSON.stringify(found)).not.toContain('not-a-secret')
    expect(found).toMatchObject({
      'audit.sinks.hook.url': 'https://hooks.example.com/...',
      'audit.sinks.hook.headerFiles.Authorization': '/data/token',
      'audit.sinks.siem.host': 'siem.example.com',
      'audit.sinks.siem.facility': 'local3',
      'audit.sinks.archive.endpoint': 'https://s3.example.com/...',
      'audit.sinks.archive.secretAccessKeyFile': '/data/archive-secret',
    })
    expect(
      Object.entries(found).filter(([name, value]) => name.startsWith('audit') && value === '(not recorded)'),
    ).toEqual([])
  })

  it('that were changed, added and removed are named with both values', () => {
    const changed = basic.replace('regions: { us-east-1', 'log: { level: debug }\nregions: { eu-west-1')
    expect(settingChanges(settings(basic), settings(changed))).toEqual([
      { setting: 'log.level', from: 'info', to: 'debug' },
      { setting: 'regions.eu-west-1', from: undefined, to: 'softhsm' },
      { setting: 'regions.us-east-1', from: 'softhsm', to: undefined },
    ])
    expect(settingChanges(settings(basic), settings(basic))).toEqual([])
  })
})
