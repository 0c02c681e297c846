import type { AuditRecord } from '../../src/audit/entry.ts'

export function aRecord(number: number, rest: Partial<AuditRecord> = {}): AuditRecord {
  return {
    eventVersion: '1.11',
    eventID: `${number}`,
    requestID: `request-${number}`,
    eventTime: '2025-01-02T03:04:05.678Z',
    eventSource: 'kms.amazonaws.com',
    eventType: 'AwsApiCall',
    eventCategory: 'Management',
    managementEvent: true,
    eventName: 'Encrypt',
    ...rest,
  }
}
