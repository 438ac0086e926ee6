/* From srt's configuration, and what one call has of its own, to a settings file of landpen's. */
import os from 'node:os'
import path from 'node:path'

const PATHS = ['denyRead', 'allowRead', 'allowWrite', 'denyWrite']

/** As srt reads a path: ~ is the home, what is relative starts at this process's directory. */
export function absolute(entry) {
  if (entry === '~' || entry.startsWith('~/')) {
    return path.join(os.homedir(), entry.slice(1))
  }
  return entry.startsWith('/') ? entry : path.join(process.cwd(), entry)
}

/*
 * The same for the settings file, where a directory's name must not be read as a pattern: below such
 * a one what is relative stays so, and starts where the command runs.
 */
const spelled = entry =>
  typeof entry !== 'string' || !entry || /[*?[]/.test(process.cwd()) ? entry : absolute(entry)

/* What is no list is left as it is: landpen says what is wrong with it. */
const entries = list => (Array.isArray(list) ? list.map(spelled) : list)

function filesystem(config, custom, hidden) {
  const one = custom?.filesystem
  const made = { ...config.filesystem, ...one }
  for (const list of PATHS) {
    made[list] = entries(one?.[list] ?? config.filesystem?.[list])
  }
  // an override that leaves "disabled" out is meant to be held
  made.disabled = one === undefined ? config.filesystem?.disabled : one.disabled
  if (Array.isArray(made.denyWrite)) {
    made.denyWrite = [...made.denyWrite, hidden]
  }
  return made
}

/** A call may only narrow the network: srt's proxy does not know of it at all. */
export function network(config, custom) {
  const made = { ...config.network }
  if (custom?.network?.allowedDomains !== undefined) {
    made.allowedDomains = made.allowedDomains.filter(host =>
      custom.network.allowedDomains.includes(host),
    )
  }
  if (custom?.network?.deniedDomains !== undefined) {
    made.deniedDomains = [...made.deniedDomains, ...custom.network.deniedDomains]
  }
  return made
}

function credentials(block) {
  if (!Array.isArray(block?.files)) {
    return block
  }
  return {
    ...block,
    files: block.files.map(file => file && { ...file, path: spelled(file.path) }),
  }
}

/**
 * The text of the settings file. hidden: a directory that no command may change. A configuration
 * that has a wrong type where one is needed here is written as it is, for landpen to refuse.
 */
export function settingsText(config, custom, hidden) {
  const dirs = [
    ...(config.git?.safeDirectories ?? []),
    ...(custom?.git?.safeDirectories ?? []),
  ]
  return JSON.stringify({
    ...config,
    network: config.network && network(config, custom),
    filesystem: config.filesystem && filesystem(config, custom, hidden),
    credentials: credentials(custom?.credentials ?? config.credentials),
    allowPty: custom?.allowPty ?? config.allowPty,
    git: dirs.length ? { ...config.git, safeDirectories: dirs } : config.git,
    environment: config.environment ?? { pass: ['*'] },
  })
}
