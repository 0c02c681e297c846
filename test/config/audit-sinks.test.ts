import { afterEach, expect, it, vi } from 'vitest'
import { auditSink, secretFilesOf, secretVariablesOf, withAbsoluteSinkFiles } from '../../src/config/audit-sinks.ts'

const s3 = { type: 's3', bucket: 'audit', accessKeyId: 'AKIATEST' }
const tls = { caFile: 'ca.crt', certificateFile: 'own.crt', keyFile: 'own.key' }

afterEach(() => vi.unstubAllEnvs())

it.each([
  [{ type: 'file', file: 'a.jsonl' }, []],
  [{ type: 'syslog', host: 'a', ...tls }, ['/data/own.key']],
  [{ type: 'webhook', url: 'https://a', headerFiles: { a: 'one', b: '/two' } }, ['/data/one', '/two']],
  [{ type: 'webhook', urlFile: 'url', ...tls }, ['/data/own.key', '/data/url']],
  [{ ...s3, secretAccessKeyFile: 'secret' }, ['/data/secret']],
])('the sink %j has the secret files %j, which only their owner may read', (sink, files) => {
  expect(
    secretFilesOf(withAbsoluteSinkFiles(auditSink.parse(sink), path => new URL(path, 'file:///data/').pathname)),
  ).toEqual(files)
})

it.each([
  [{ type: 'webhook', urlVariable: 'A', headerVariables: { x: 'B' } }, ['A', 'B']],
  [{ ...s3, secretAccessKeyVariable: 'A' }, ['A']],
  [{ ...s3, secretAccessKeyFile: 'secret' }, []],
])('the process of the sink %j gets the variables %j, and no others', (sink, names) => {
  const config = auditSink.parse(sink)
  for (const name of names) {
    expect(() => secretVariablesOf(config)).toThrow(/^environment variable [AB] is not set: an audit sink needs it$/)
    vi.stubEnv(name, `value of ${name}`)
  }
  expect(secretVariablesOf(config)).toEqual(Object.fromEntries(names.map(name => [name, `value of ${name}`])))
})

it('makes the paths of all files absolute, and leaves everything else', () => {
  const sink = auditSink.parse({ type: 'webhook', url: 'https://a', headerVariables: { File: 'B' }, ...tls })
  expect(withAbsoluteSinkFiles(sink, path => `/data/${path}`)).toEqual({
    ...sink,
    caFile: '/data/ca.crt',
    certificateFile: '/data/own.crt',
    keyFile: '/data/own.key',
  })
})
