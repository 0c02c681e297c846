// Written by scripts/catalogue.ts.
import { lookupEvents } from './lookup-events.ts'

export const operations = [
  lookupEvents,
] as const
