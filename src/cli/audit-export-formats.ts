import type { FoundRecord } from '../audit/filter.ts'
import { memberText, resourceText } from './record-text.ts'

/** The formats in which records are exported. */

export interface Format {
  readonly begin: string
  readonly separator: string
  readonly end: string
  text(found: FoundRecord): string
}

/** A column of CSV, and the record's member in it. */
const columns: Readonly<Record<string, (record: FoundRecord['record']) => unknown>> = {
  eventTime: ({ eventTime }) => eventTime,
  eventSource: ({ eventSource }) => eventSource,
  eventName: ({ eventName }) => eventName,
  awsRegion: ({ awsRegion }) => awsRegion,
  recipientAccountId: ({ recipientAccountId }) => recipientAccountId,
  userType: ({ userIdentity }) => userIdentity?.type,
  userArn: ({ userIdentity }) => userIdentity?.arn ?? userIdentity?.invokedBy,
  accessKeyId: ({ userIdentity }) => userIdentity?.accessKeyId,
  sourceIPAddress: ({ sourceIPAddress }) => sourceIPAddress,
  userAgent: ({ userAgent }) => userAgent,
  resources: resourceText,
  errorCode: ({ errorCode }) => errorCode,
  errorMessage: ({ errorMessage }) => errorMessage,
  readOnly: ({ readOnly }) => readOnly,
  requestID: ({ requestID }) => requestID,
  eventID: ({ eventID }) => eventID,
}

export const formats = {
  jsonl: { begin: '', separator: '', end: '', text: ({ line }) => `${line}\n` },
  cloudtrail: { begin: '{"Records":[\n', separator: ',\n', end: '\n]}\n', text: ({ line }) => line },
  csv: {
    begin: `${Object.keys(columns).join(',')}\r\n`,
    separator: '',
    end: '',
    text: ({ record }) =>
      `${Object.values(columns)
        .map(value => cell(value(record)))
        .join(',')}\r\n`,
  },
} as const satisfies Record<string, Format>

/** RFC 4180. A caller chooses its user agent: it must not become a formula of a spreadsheet. */
function cell(value: unknown): string {
  const text = memberText(value)
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
