import type { Event } from '@aws-sdk/client-cloudtrail'
import { Failure } from '../../errors.ts'
import type { EventPosition, EventSearch, FoundEvent, Snapshot } from '../../services.ts'
import { marker, placeIn, scopeOf } from '../marker.ts'
import { type Input, operation } from './operation.ts'

type LookupInput = Input<'LookupEvents'>
type Attribute = EventSearch['attribute']
type AttributeKey = NonNullable<Attribute>['key']

/** Of the events of the caller's account in the region, however old, as far as the journal is there. */
export const lookupEvents = operation('LookupEvents')({
  recorded: ['LookupAttributes', 'StartTime', 'EndTime', 'EventCategory', 'MaxResults', 'NextToken'],
  async run({ input, caller, events }) {
    const { StartTime, EndTime, EventCategory, MaxResults: limit = 50, NextToken } = input
    const attribute = attributeOf(input)
    checkLimits(input)
    const { account, region } = caller
    const search = { attribute, scope: { account, region }, from: StartTime?.getTime(), to: EndTime?.getTime() }
    const list = scopeOf('LookupEvents', caller, EventCategory ?? '', JSON.stringify(search))
    const now = await events.snapshot()
    const { before, after } = NextToken === undefined ? { before: now } : readToken(NextToken, list, now)
    // No Insights events are made here, and a service has no account.
    if (EventCategory !== undefined || account === '') return { Events: [] }
    const found = await events.find(search, { limit: limit + 1, before, after })
    if (found === undefined) throw new Failure('Throttling', 'The events are being indexed. Try again later.')
    const page = found.slice(0, limit)
    return {
      Events: page.map(eventOf),
      ...(found.length > limit && { NextToken: tokenAfter(page.at(-1)!, before, list) }),
    }
  },
})

/** CloudTrail API Reference, "LookupAttribute". */
const keys: ReadonlySet<string> = new Set<AttributeKey>([
  'EventId',
  'EventName',
  'ReadOnly',
  'Username',
  'ResourceType',
  'ResourceName',
  'EventSource',
  'AccessKeyId',
])

/** CloudTrail API Reference, "LookupEvents": of Insights events. */
const insightKeys: ReadonlySet<string> = new Set<AttributeKey>(['EventId', 'EventName', 'EventSource'])

/** CloudTrail API Reference, "LookupAttribute": the longest value, in which some characters count twice. */
const longestValue = 2000

function attributeOf({ LookupAttributes = [], EventCategory }: LookupInput): Attribute {
  if (EventCategory !== undefined && EventCategory !== 'insight')
    throw new Failure(
      'InvalidEventCategory',
      `The event category ${shown(EventCategory)} is not valid: it can be insight.`,
    )
  if (LookupAttributes.length > 1) throw invalid('Only one lookup attribute can be specified.')
  const [attribute] = LookupAttributes
  if (attribute === undefined) return undefined
  const { AttributeKey: key, AttributeValue: value = '' } = attribute
  const known = EventCategory === undefined ? keys : insightKeys
  if (key === undefined || !known.has(key)) throw invalid(`The attribute key ${shown(key)} is not valid.`)
  const length = value.length + (value.match(/[_ ,\n]/g)?.length ?? 0)
  if (value === '' || length > longestValue)
    throw invalid(`The attribute value must have 1 to ${longestValue} characters.`)
  if (key === 'ReadOnly' && value !== 'true' && value !== 'false')
    throw invalid('The attribute value of ReadOnly must be true or false.')
  return { key, value }
}

function invalid(message: string): Failure {
  return new Failure('InvalidLookupAttributes', message)
}

function shown(value = ''): string {
  return JSON.stringify(value.slice(0, 64))
}

function checkLimits({ StartTime, EndTime, MaxResults }: LookupInput): void {
  if (StartTime && EndTime && StartTime > EndTime)
    throw new Failure('InvalidTimeRange', 'The start time is after the end time.')
  if (MaxResults !== undefined && (MaxResults < 1 || MaxResults > 50))
    throw new Failure('InvalidMaxResults', `MaxResults is ${MaxResults}: it must be between 1 and 50.`)
}

function eventOf({ record, text, time, userName, accessKeyId }: FoundEvent): Event {
  const { eventID, eventName, eventSource, readOnly, resources = [] } = record
  return {
    EventId: eventID,
    EventName: eventName,
    ReadOnly: readOnly === undefined ? undefined : String(readOnly),
    AccessKeyId: accessKeyId,
    EventTime: new Date(time),
    EventSource: eventSource,
    Username: userName,
    Resources: resources.map(({ ARN, type }) => ({ ResourceType: type, ResourceName: ARN })),
    CloudTrailEvent: text,
  }
}

/** Where a page ended, and what the journals had when the first one was read: events that come meanwhile are on no further page. */
function tokenAfter({ time, record }: FoundEvent, before: readonly Snapshot[], list: readonly string[]): string {
  const places = before.map(({ journal, segment, offset }) => `${journal} ${segment} ${offset}`)
  return marker([time, record.eventID, ...places].join(' '), list)
}

function readToken(
  token: string,
  list: readonly string[],
  now: readonly Snapshot[],
): { readonly before: readonly Snapshot[]; readonly after: EventPosition } {
  const [time, id = '', ...places] = (placeIn(token, list) ?? '').split(' ')
  const before = Array.from({ length: Math.floor(places.length / 3) }, (_, index) => {
    const [journal = '', segment, offset] = places.slice(3 * index)
    return { journal, segment: Number(segment), offset: Number(offset) }
  })
  const isPast = ({ journal, segment, offset }: Snapshot) => {
    const end = now.find(place => place.journal === journal)
    return end !== undefined && (segment < end.segment || (segment === end.segment && offset <= end.offset))
  }
  if (before.length > 0 && before.every(isPast)) return { before, after: { time: Number(time), id } }
  throw new Failure('InvalidNextToken', 'The token is not valid, or was returned for a request with other parameters.')
}
