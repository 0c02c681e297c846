import { expect, it } from 'vitest'
import { home, install, serve } from '../end-to-end/gateway.ts'
import { fuzzHttp } from '../server/http-fuzz.ts'

/** The fuzz of test/end-to-end/raw-http.test.ts, for minutes. */

it('20,000 random conversations are answered in the shape of AWS, each answer with a record', async () => {
  const installation = await install()
  const gateway = await serve(installation)
  try {
    const before = gateway.records().length
    const requestIds = await fuzzHttp(gateway.url, installation.credentials[home]!, 20_000)
    const recorded = gateway.records().slice(before)
    const missing = new Set(requestIds)
    for (const { requestID } of recorded) missing.delete(requestID)
    expect([...missing]).toEqual([])
    expect(recorded).toHaveLength(requestIds.length)
    expect(gateway.complaints()).toEqual([])
  } finally {
    await gateway.stop()
    installation.remove()
  }
})
