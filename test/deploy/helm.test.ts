/** The Helm chart, rendered by Helm, held against the types of the Kubernetes API and against the configuration of the gateway. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseConfig } from '../../src/config.ts'
import { areInstalled, helm, toolsFolder } from './tools.ts'

const chart = join(import.meta.dirname, '../../deploy/helm/strongroom')

// biome-ignore lint/suspicious/noExplicitAny: any resource of Kubernetes
type Resource = any

/** @param settings values of the chart, each NAME=JSON */
function render(...settings: string[]): Resource[] {
  const values = settings.map(setting => setting.replace('=', ': ')).join('\n')
  const text = execFileSync(helm(), ['template', 'kms', chart, '--values', '-'], { input: values, encoding: 'utf8' })
  return parseAllDocuments(text).map(document => document.toJSON() as Resource)
}

/** Each combination of what is optional. */
const variants = {
  default: [],
  everything: [
    'serviceMonitor={"enabled":true,"interval":"10s","labels":{"release":"prometheus"}}',
    'networkPolicy={"enabled":true,"clients":[{"namespaceSelector":{}}],"metrics":[{"podSelector":{}}],"egress":[{"ports":[{"port":5432}]}]}',
    'affinity={"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[]}]}}}',
    'nodeSelector={"hsm":"yes"}',
    'tolerations=[{"key":"hsm","operator":"Exists"}]',
    'imagePullSecrets=[{"name":"registry"}]',
    'env=[{"name":"A","value":"b"}]',
    'extraVolumes=[{"name":"cloudhsm","configMap":{"name":"cloudhsm"}}]',
    'extraVolumeMounts=[{"name":"cloudhsm","mountPath":"/opt/cloudhsm/etc"}]',
    'podAnnotations={"a":"b"}',
    'volume={"size":"5Gi","storageClassName":"fast"}',
  ],
  'nothing optional': ['networkPolicy={"enabled":false}', 'secrets={}'],
}

describe.skipIf(!areInstalled)('the Helm chart', () => {
  const rendered = areInstalled ? Object.values(variants).map(settings => render(...settings)) : []
  const [resources] = rendered
  const only = (kind: string): Resource => resources!.find(resource => resource.kind === kind)
  const pod = () => only('StatefulSet').spec.template.spec
  const config = () => parse(only('ConfigMap').data['strongroom.yaml'])

  it('passes helm lint', () => {
    const { status, stdout } = spawnSync(helm(), ['lint', '--strict', chart], { encoding: 'utf8' })
    expect({ status, stdout }).toMatchObject({ status: 0 })
  })

  it('renders what the API of Kubernetes accepts, without unknown fields', () => {
    const folder = join(mkdtempSync(join(toolsFolder, '.types-')), 'rendered')
    mkdirSync(folder)
    const lines = rendered.flat().flatMap(({ ...resource }, index) => {
      const [group, version] = resource.apiVersion.split('/')
      if (group === 'monitoring.coreos.com') return []
      const path = `kubernetes-models/${version === undefined ? group : `${group}/${version}`}/${resource.kind}`
      return [
        `import type { I${resource.kind} as T${index} } from '${path}'`,
        `export const r${index}: T${index} = ${JSON.stringify(resource)}`,
      ]
    })
    writeFileSync(join(folder, 'rendered.ts'), lines.join('\n'))
    const tsc = join(import.meta.dirname, '../../node_modules/.bin/tsc')
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext']
    const { status, stdout } = spawnSync(tsc, [...options, join(folder, 'rendered.ts')], { encoding: 'utf8' })
    rmSync(join(folder, '..'), { recursive: true })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  })

  it('renders a configuration that the gateway accepts', () => {
    const { hsms, storage, listen } = parseConfig(
      only('ConfigMap').data['strongroom.yaml'],
      '/data/gateway/strongroom.yaml',
    )
    const files = [
      storage.postgres!.passwordFile,
      storage.postgres!.tls!.caFile,
      listen.tls!.keyFile,
      hsms.hsm!.pinFile,
    ]
    const { volumeMounts } = pod().containers[0]
    for (const file of files)
      expect(
        volumeMounts.some((mount: Resource) => file!.startsWith(`${mount.mountPath}/`)),
        file,
      ).toBe(true)
  })

  it('probes and exposes the ports of the configuration, over TLS if it has TLS', () => {
    const [container] = pod().containers
    const { listen, metrics } = config()
    expect(container.ports).toEqual([
      { name: 'kms', containerPort: listen.port },
      { name: 'metrics', containerPort: metrics.port },
    ])
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe]
    expect(probes.map(({ httpGet }) => httpGet)).toEqual([
      { path: '/healthz', port: 'kms', scheme: 'HTTPS' },
      { path: '/healthz', port: 'kms', scheme: 'HTTPS' },
      { path: '/readyz', port: 'kms', scheme: 'HTTPS' },
    ])
  })

  it('gives a gateway nothing that it does not need', () => {
    expect(pod().securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(pod().automountServiceAccountToken).toBe(false)
    for (const { securityContext } of [...pod().initContainers, ...pod().containers])
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
    for (const { secret } of pod().volumes.filter((volume: Resource) => volume.secret))
      expect(secret.defaultMode).toBe(0o440)
  })

  it('selects the pods of the release in every resource', () => {
    const { labels } = only('StatefulSet').spec.template.metadata
    const services = resources!.filter(({ kind }) => kind === 'Service')
    const selectors = [
      ...services.map(({ spec }) => spec.selector),
      only('PodDisruptionBudget').spec.selector.matchLabels,
      only('NetworkPolicy').spec.podSelector.matchLabels,
    ]
    for (const selector of selectors) expect(labels).toMatchObject(selector)
    expect(services.map(({ metadata }) => metadata.name)).toContain(only('StatefulSet').spec.serviceName)
  })

  it('replaces pods when the configuration changes', () => {
    const checksum = (resources: Resource[]) =>
      resources.find(({ kind }) => kind === 'StatefulSet').spec.template.metadata.annotations['checksum/config']
    expect(checksum(render('config={"log":{"level":"debug"}}'))).not.toBe(checksum(resources!))
  })

  it('has the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(chart, '../../../package.json'), 'utf8'))
    expect(parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version })
  })
})
