/** Members of a record as text. Somebody else than a gateway may have written it, so a member may be anything. */
import type { AuditRecord } from '../audit/entry.ts'

/** Empty for what is absent, and for an object or a list, which need not have a text. */
export function memberText(value: unknown): string {
  return value === undefined || typeof value === 'object' ? '' : String(value)
}

/** The ARNs of its resources. */
export function resourceText({ resources = [] }: AuditRecord): string {
  return resources
    .map(({ ARN }) => memberText(ARN))
    .filter(text => text !== '')
    .join(' ')
}
