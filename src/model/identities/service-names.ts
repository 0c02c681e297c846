import { findPartition, type Partition } from '../partitions.ts'

/** Names of service principals: IAM User Guide, "AWS JSON policy elements: Principal", "AWS service principals". */

/** Most services have the same domain in every partition. */
function domainOf(name: string, { dnsSuffix }: Partition): string | undefined {
  return ['amazonaws.com', dnsSuffix].find(suffix => name.endsWith(`.${suffix}`))
}

/** Whether it has the form of a name, with or without a region. */
export function isServiceName(name: string, partition: Partition): boolean {
  return domainOf(name, partition) !== undefined && /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name)
}

/** All names of a service in a region, for example `logs.amazonaws.com` and `logs.us-east-1.amazonaws.com`. */
export function serviceNames(service: string, region: string): readonly string[] {
  const regional = regionalName(service, region)
  return regional === undefined ? [service] : [service, regional]
}

/** @param region empty: none */
function regionalName(service: string, region: string): string | undefined {
  if (region === '') return undefined
  const domain = domainOf(service, findPartition(region))
  return domain && `${service.slice(0, -domain.length)}${region}.${domain}`
}

export function isNameOf(name: string, service: string, region: string): boolean {
  return name === service || name === regionalName(service, region)
}
