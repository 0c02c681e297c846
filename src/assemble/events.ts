import { apis, xks } from '../apis/catalogue.ts'
import { JournalIndex } from '../audit/index/journal-index.ts'
import { ThreadedIndex } from '../audit/index/threaded-index.ts'
import type { Journal } from '../audit/journal.ts'
import { indexFile } from '../audit/segments.ts'
import type { Config } from '../config.ts'
import type { Metrics } from '../metrics.ts'
import type { Calls } from '../model/usage/calls.ts'
import type { Log, Metering } from '../services.ts'

interface Means {
  readonly journal: Journal
  readonly log: Log
  readonly metrics?: Pick<Metrics, 'auditIndexCurrent' | 'metered'>
}

/** The index of the audit journal, which opens when it is first needed. */
export function eventsOf(
  { audit: { file: active }, otherJournals = [] }: Pick<Config, 'audit' | 'otherJournals'>,
  opened: AsyncDisposableStack,
  { journal, log, metrics }: Means,
): JournalIndex {
  const path = indexFile(active)
  // Those that use keys.
  const meteredSources = [apis[0].eventSource, xks.eventSource]
  let failed = false
  const index = new JournalIndex({
    journal,
    open: () => new ThreadedIndex({ path, active, meteredSources }),
    meteredSources,
    others: otherJournals.map(file => ({ active: file, path: indexFile(file) })),
    indexed: ({ usage }) => metrics?.metered(usage.calls),
    report: {
      caughtUp({ setAside, unreadable }) {
        if (setAside !== undefined)
          log.warn({ event: 'audit_index_replaced', path, reason: setAside }, 'Audit index set aside and built again')
        for (const { segment, reason } of unreadable)
          log.error(
            { event: 'audit_segment_not_indexed', segment, reason },
            'Cannot index a segment of the audit journal',
          )
        if (failed) log.info({ event: 'audit_index_recovered' }, 'Audit index is current again')
        failed = false
        metrics?.auditIndexCurrent(true)
      },
      failed(err) {
        if (!failed) log.error({ event: 'audit_index_failed', err }, 'Cannot read or write the audit index')
        failed = true
        metrics?.auditIndexCurrent(false)
      },
    },
  })
  return opened.adopt(index, index => index.close())
}

/** Of the journals of this machine: of other processes what they have indexed, seconds ago. */
export function meteringOf({ prices, otherJournals = [] }: Config, events: JournalIndex): Metering {
  const journals = [undefined, ...otherJournals.map(file => ({ active: file, path: indexFile(file) }))]
  return {
    prices,
    async usage() {
      const index = await events.flush()
      return {
        async *calls(days) {
          for (const journal of journals)
            for (const piece of await index.calls(days, journal)) yield JSON.parse(piece) as Calls[]
        },
        async firstDay() {
          const days = await Promise.all(journals.map(journal => index.firstDay(journal)))
          return days.flatMap(day => day ?? []).sort()[0]
        },
        async deletedKeys() {
          return (await Promise.all(journals.map(journal => index.deletedKeys(journal)))).flat()
        },
      }
    },
  }
}
