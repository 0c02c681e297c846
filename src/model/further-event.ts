/** What is on record of a call: CloudTrail's requestParameters and responseElements. */
export interface RecordedMembers {
  readonly requestParameters?: Readonly<Record<string, unknown>> | null
  readonly responseElements?: Readonly<Record<string, unknown>> | null
}

/** An event that changes are besides the one that they are committed for, with a record of its own: in another region, for example. */
export interface FurtherEvent {
  readonly name: string
  /** ARN, whose region and account are those of the event. */
  readonly resource: string
  /** Of an event of the same caller, by what is on record of the call. Absent: of the gateway itself. */
  readonly members?: (call: RecordedMembers) => RecordedMembers
}
