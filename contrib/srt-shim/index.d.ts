/** The part of @anthropic-ai/sandbox-runtime 0.0.78 that embedders call, as landpen does it. */

export type CredentialMode = 'deny' | 'mask'

export interface NetworkConfig {
  allowedDomains: string[]
  deniedDomains: string[]
  deniedDomainReasons?: Record<string, string>
  strictAllowlist?: boolean
  deniedResolvedAddresses?: string[]
  allowUnixSockets?: string[]
  allowAllUnixSockets?: boolean
  allowLocalBinding?: boolean
  allowMachLookup?: string[]
  httpProxyPort?: number
  socksProxyPort?: number
  mitmProxy?: { socketPath: string; domains: string[] }
  tlsTerminate?: Record<string, unknown>
  parentProxy?: { http?: string; https?: string; noProxy?: string }
}

export interface FilesystemConfig {
  denyRead: string[]
  allowRead?: string[]
  allowWrite: string[]
  denyWrite: string[]
  disabled?: boolean
  allowGitConfig?: boolean
}

export interface CredentialFileConfig {
  path: string
  mode: CredentialMode
}

export interface CredentialEnvVarConfig {
  name: string
  mode: CredentialMode
}

export interface CredentialsConfig {
  files?: CredentialFileConfig[]
  envVars?: CredentialEnvVarConfig[]
}

export interface GitConfig {
  safeDirectories?: string[]
}

export type IgnoreViolationsConfig = Record<string, string[]>

/** Keys of landpen's own (landpen-settings(5)) may stand here as well. */
export interface SandboxRuntimeConfig {
  network: NetworkConfig
  filesystem: FilesystemConfig
  credentials?: CredentialsConfig
  ignoreViolations?: IgnoreViolationsConfig
  mandatoryDenySearchDepth?: number
  allowPty?: boolean
  enableWeakerNestedSandbox?: boolean
  git?: GitConfig
  [key: string]: unknown
}

export interface FsReadRestrictionConfig {
  denyOnly: string[]
  allowWithinDeny?: string[]
}

export interface FsWriteRestrictionConfig {
  allowOnly: string[]
  denyWithinAllow: string[]
}

export interface NetworkRestrictionConfig {
  allowedHosts?: string[]
  deniedHosts?: string[]
}

export interface NetworkHostPattern {
  host: string
  port: number | undefined
}

/** Never called: landpen asks nobody. */
export type SandboxAskCallback = (params: NetworkHostPattern) => Promise<boolean>

export interface SandboxDependencyCheck {
  warnings: string[]
  errors: string[]
}

export interface SandboxViolationEvent {
  line: string
  command?: string
  encodedCommand?: string
  timestamp: Date
}

export declare class SandboxViolationStore {
  addViolation(violation: SandboxViolationEvent): void
  getViolations(limit?: number): SandboxViolationEvent[]
  getCount(): number
  getTotalCount(): number
  getViolationsForCommand(command: string): SandboxViolationEvent[]
  clear(): void
  subscribe(listener: (violations: SandboxViolationEvent[]) => void): () => void
}

export interface WrapWithSandboxOptions {
  /** What annotateStderrWithSandboxFailures() will be asked by; the command if it is not given. */
  commandId?: string
  /** What violations report; the command if it is not given. */
  commandText?: string
}

export interface ISandboxManager {
  /** Throws if landpen cannot make a pen here, or finds the configuration wrong. */
  initialize(
    runtimeConfig: SandboxRuntimeConfig,
    sandboxAskCallback?: SandboxAskCallback,
    enableLogMonitor?: boolean,
  ): Promise<void>
  isSupportedPlatform(): boolean
  isSandboxingEnabled(): boolean
  checkDependencies(ripgrepConfig?: unknown): SandboxDependencyCheck
  checkDependenciesAsync(ripgrepConfig?: unknown): Promise<SandboxDependencyCheck>
  getFsReadConfig(): FsReadRestrictionConfig
  getFsWriteConfig(): FsWriteRestrictionConfig
  getNetworkRestrictionConfig(): NetworkRestrictionConfig
  getAllowUnixSockets(): string[] | undefined
  getAllowLocalBinding(): boolean | undefined
  getAllowMachLookup(): string[] | undefined
  getIgnoreViolations(): IgnoreViolationsConfig | undefined
  getEnableWeakerNestedSandbox(): boolean | undefined
  getProxyPort(): undefined
  getProxyAuthToken(): undefined
  getSocksProxyPort(): undefined
  getLinuxHttpSocketPath(): undefined
  getLinuxSocksSocketPath(): undefined
  waitForNetworkInitialization(): Promise<boolean>
  /** A line for a POSIX shell, good until reset(). */
  wrapWithSandbox(
    command: string,
    binShell?: string,
    customConfig?: Partial<SandboxRuntimeConfig>,
    abortSignal?: AbortSignal,
    options?: WrapWithSandboxOptions,
  ): Promise<string>
  wrapWithSandboxArgv(
    command: string,
    binShell?: string,
    customConfig?: Partial<SandboxRuntimeConfig>,
    abortSignal?: AbortSignal,
    cwd?: string,
    options?: WrapWithSandboxOptions,
  ): Promise<{ argv: string[]; env: NodeJS.ProcessEnv }>
  cleanupAfterCommand(): void
  reset(): Promise<void>
  getMitmCA(): undefined
  /** These three throw. */
  getSentinelRegistry(): never
  getAwsPairRegistry(): never
  getMaskedFileStore(): never
  getSandboxViolationStore(): SandboxViolationStore
  annotateStderrWithSandboxFailures(command: string, stderr: string): string
  getLinuxGlobPatternWarnings(): string[]
  getConfig(): SandboxRuntimeConfig | undefined
  /**
   * Lists of hosts hold for commands that run too, the rest for what is wrapped from then on.
   * Throws, and changes nothing, if it is wrong.
   */
  updateConfig(newConfig: SandboxRuntimeConfig): void
}

export declare const SandboxManager: ISandboxManager

export declare const SandboxRuntimeConfigSchema: {
  parse(given: unknown): SandboxRuntimeConfig
  safeParse(
    given: unknown,
  ): { success: true; data: SandboxRuntimeConfig } | { success: false; error: Error }
}

export declare function getDefaultWritePaths(): string[]
