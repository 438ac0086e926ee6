/* SandboxManager of @anthropic-ai/sandbox-runtime, with landpen as the sandbox. See README.md. */
import os from 'node:os'

import { check, landpenOrThrow, trouble, which } from './lib/landpen.js'
import { Session } from './lib/session.js'
import { absolute, settingsText } from './lib/settings.js'
import { Report, SandboxViolationStore } from './lib/violations.js'

export { SandboxViolationStore }

const NOTHING = {
  network: { allowedDomains: [], deniedDomains: [] },
  filesystem: { denyRead: [], allowWrite: [], denyWrite: [] },
}
const MAX_REPORTS = 1024
const STDIO = ['/dev/stdout', '/dev/stderr', '/dev/null', '/dev/tty']

let config
let isInitialized = false
let tellsFiles = false
let session
let reports = []
const store = new SandboxViolationStore()

function warn(text) {
  process.emitWarning(text, { type: 'SandboxWarning', code: 'LANDPEN_SRT_SHIM' })
}

function refuseFunctions(given) {
  if (typeof given?.network?.filterRequest === 'function') {
    throw new Error(
      'network.filterRequest: landpen looks into no request and cannot call it; remove it',
    )
  }
}

/* The settings file for a configuration, once landpen has found it right. */
function fileFor(given, custom) {
  session ??= new Session()
  const { file, updates, isNew } = session.settings(settingsText(given, custom, session.dir), custom)
  if (!isNew) {
    return { file, updates, notices: [] }
  }
  try {
    return { file, updates, notices: check(file) }
  } catch (error) {
    session.forget(file)
    throw error
  }
}

function accept(given) {
  refuseFunctions(given)
  if (typeof given !== 'object' || given === null) {
    throw new Error('Invalid sandbox configuration: must be an object')
  }
  const copy = structuredClone(given)
  fileFor(copy).notices.forEach(warn)
  return copy
}

async function initialize(runtimeConfig, sandboxAskCallback, enableLogMonitor = false) {
  if (isInitialized) {
    return
  }
  const problem = trouble()
  if (problem) {
    throw new Error(`Sandbox dependencies not available: ${problem}`)
  }
  config = accept(runtimeConfig)
  tellsFiles = enableLogMonitor
  isInitialized = true
  if (sandboxAskCallback && !config.network.strictAllowlist) {
    warn('sandboxAskCallback is never called: hosts that no list allows are denied')
  }
}

function updateConfig(newConfig) {
  const accepted = accept(newConfig)
  session.update(accepted)
  config = accepted
}

function isSupportedPlatform() {
  return process.platform === 'linux'
}

function checkDependencies() {
  if (!isSupportedPlatform()) {
    return { errors: ['Unsupported platform'], warnings: [] }
  }
  const problem = trouble()
  return { errors: problem ? [problem] : [], warnings: [] }
}

const quote = word => `'${word.replaceAll("'", `'\\''`)}'`

async function wrapWithSandbox(command, binShell, customConfig, abortSignal, named) {
  abortSignal?.throwIfAborted()
  refuseFunctions(customConfig)
  const shell = which(binShell || 'bash')
  if (!shell) {
    throw new Error(`Shell '${binShell || 'bash'}' not found in PATH`)
  }
  const program = landpenOrThrow()
  const { file, updates } = fileFor(config ?? NOTHING, customConfig)
  const report = session.report()
  reports.push(
    new Report(report, named?.commandId || command, named?.commandText ?? command),
  )
  reports = reports.slice(-MAX_REPORTS)
  const follow = updates ? ['--control-fd', '3'] : []
  const words = [program, '-q', '-s', file, '--report', report, ...follow, '--', shell, '-c', command]
  const line = words.map(quote).join(' ')
  return updates ? `${line} 3<${quote(updates)}` : line
}

async function wrapWithSandboxArgv(command, binShell, customConfig, abortSignal, cwd, options) {
  const wrapped = await wrapWithSandbox(command, binShell, customConfig, abortSignal, options)
  return { argv: [which(binShell || 'bash'), '-c', wrapped], env: process.env }
}

function collect() {
  for (const report of reports) {
    report.collect(store, tellsFiles)
  }
}

function getSandboxViolationStore() {
  collect()
  return store
}

function annotateStderrWithSandboxFailures(command, stderr) {
  if (!config) {
    return stderr
  }
  collect()
  const violations = store.getViolationsForCommand(command)
  if (violations.length === 0) {
    return stderr
  }
  return [
    stderr,
    '<sandbox_violations>',
    ...violations.map(violation => violation.line),
    '</sandbox_violations>',
  ].join(os.EOL)
}

async function reset() {
  collect()
  reports = []
  session?.close()
  session = undefined
  isInitialized = false
}

function getFsReadConfig() {
  if (!config || config.filesystem.disabled) {
    return { denyOnly: [], allowWithinDeny: [] }
  }
  const files = (config.credentials?.files ?? []).map(file => file.path)
  return {
    denyOnly: [...new Set([...config.filesystem.denyRead, ...files].map(absolute))],
    allowWithinDeny: (config.filesystem.allowRead ?? []).map(absolute),
  }
}

function getFsWriteConfig() {
  if (config?.filesystem.disabled) {
    return { allowOnly: ['/'], denyWithinAllow: [] }
  }
  return {
    allowOnly: [...STDIO, ...(config?.filesystem.allowWrite ?? []).map(absolute)],
    denyWithinAllow: (config?.filesystem.denyWrite ?? []).map(absolute),
  }
}

function getNetworkRestrictionConfig() {
  if (!config) {
    return {}
  }
  const { allowedDomains, deniedDomains } = config.network
  return {
    allowedHosts: allowedDomains,
    ...(deniedDomains.length > 0 && { deniedHosts: deniedDomains }),
  }
}

function absent(name) {
  return () => {
    throw new Error(`SandboxManager.${name}: landpen masks no credentials and has nothing of this kind`)
  }
}

const nothing = () => undefined

/** What srt makes writable by itself; landpen's commands have a private TMPDIR instead. */
export const getDefaultWritePaths = () => [...STDIO]

/** parse() and safeParse() of srt's schema; what is asked is landpen. */
export const SandboxRuntimeConfigSchema = {
  parse(given) {
    return accept(given)
  },
  safeParse(given) {
    try {
      return { success: true, data: accept(given) }
    } catch (error) {
      return { success: false, error }
    }
  },
}

export const SandboxManager = {
  initialize,
  isSupportedPlatform,
  isSandboxingEnabled: () => config !== undefined,
  checkDependencies,
  checkDependenciesAsync: async () => checkDependencies(),
  getFsReadConfig,
  getFsWriteConfig,
  getNetworkRestrictionConfig,
  getAllowUnixSockets: () => config?.network.allowUnixSockets,
  getAllowLocalBinding: () => config?.network.allowLocalBinding,
  getAllowMachLookup: () => config?.network.allowMachLookup,
  getIgnoreViolations: () => config?.ignoreViolations,
  getEnableWeakerNestedSandbox: () => config?.enableWeakerNestedSandbox,
  getProxyPort: nothing,
  getProxyAuthToken: nothing,
  getSocksProxyPort: nothing,
  getLinuxHttpSocketPath: nothing,
  getLinuxSocksSocketPath: nothing,
  waitForNetworkInitialization: async () => config !== undefined,
  wrapWithSandbox,
  wrapWithSandboxArgv,
  cleanupAfterCommand: collect,
  reset,
  getMitmCA: nothing,
  getSentinelRegistry: absent('getSentinelRegistry'),
  getAwsPairRegistry: absent('getAwsPairRegistry'),
  getMaskedFileStore: absent('getMaskedFileStore'),
  getSandboxViolationStore,
  annotateStderrWithSandboxFailures,
  getLinuxGlobPatternWarnings: () => [],
  getConfig: () => config,
  updateConfig,
}
